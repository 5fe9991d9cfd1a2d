package command

// CanIsolate reports whether the programs of Command.Isolated have no network. It is found
// once per process, by trying; no variable changes it.
func CanIsolate() bool { return canIsolate() }

// offlineVariables returns variables for programs that use them where the kernel has no network
// namespaces. The proxies refuse connections.
func offlineVariables() []string {
	const refused = "http://127.0.0.1:9"
	return []string{"HF_HUB_OFFLINE=1", "http_proxy=" + refused, "https_proxy=" + refused, "ALL_PROXY=" + refused}
}
