package pyenv

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

// A Config is what a pyvenv.cfg says.
type Config struct {
	Home        string // absolute: the folder of the interpreter that the environment was made from
	Version     string // "3.10.13", or "3.10" where uv knew no more
	Creator     string // "uv" with its version, or "" for the standard library
	Prompt      string
	SystemSite  bool // packages outside the environment are visible in it
	Relocatable bool // uv's launchers that do not carry an absolute path
}

// ReadConfig reads the pyvenv.cfg of an environment.
func ReadConfig(dir string) (Config, error) {
	name := filepath.Join(dir, "pyvenv.cfg")
	b, err := readFile(name, nil, maxMetadata)
	if err != nil {
		return Config{}, err
	}
	c, err := parseConfig(b)
	if err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// parseConfig reads lines of the form key = value, keys in any case, as Python's
// own site module does.
func parseConfig(b []byte) (Config, error) {
	var c Config
	for line := range bytes.Lines(b) {
		key, value, ok := strings.Cut(string(line), "=")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "home":
			c.Home = value
		case "version":
			c.Version = value
		case "version_info":
			if c.Version == "" {
				c.Version = value
			}
		case "uv":
			c.Creator = "uv " + value
		case "prompt":
			c.Prompt = strings.Trim(value, `'"`)
		case "include-system-site-packages":
			c.SystemSite = strings.EqualFold(value, "true")
		case "relocatable":
			c.Relocatable = strings.EqualFold(value, "true")
		}
	}
	if c.Home == "" {
		return c, fmt.Errorf("has no home")
	}
	if !filepath.IsAbs(c.Home) || strings.IndexByte(c.Home, 0) >= 0 {
		return c, fmt.Errorf("has the home %.200q, which is not an absolute path", c.Home)
	}
	return c, nil
}
