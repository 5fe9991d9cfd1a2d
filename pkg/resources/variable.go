package resources

// A Variable is an environment variable that every way into a generation sets, to
// the absolute path of a place. What had that name before is put back on leaving.
type Variable struct {
	Name string `json:"name"` // "HF_HUB_CACHE"
	Path string `json:"path"` // as in keys of facts: "models"
}
