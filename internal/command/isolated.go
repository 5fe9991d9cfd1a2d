package command

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// CanIsolate reports whether the programs of Command.Isolated have no network. It is found
// once per process, by trying; no variable changes it.
func CanIsolate() bool { return canIsolate() }

// isolatedVariables creates the home and temporary directories of an isolated program in
// its private folder and returns the variables that it gets, none of them inherited. The
// proxies refuse connections, for programs that use variables where the kernel has no
// network namespaces.
func isolatedVariables(private string) ([]string, error) {
	home, temp := filepath.Join(private, "home"), filepath.Join(private, "tmp")
	for _, dir := range []string{home, temp} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	const refused = "http://127.0.0.1:9"
	return []string{
		"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + home, "TMPDIR=" + temp, "USER=user",
		"PYTHONNOUSERSITE=1", "HF_HUB_OFFLINE=1",
		"http_proxy=" + refused, "https_proxy=" + refused, "ALL_PROXY=" + refused,
	}, nil
}
