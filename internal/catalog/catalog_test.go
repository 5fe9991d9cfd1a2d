package catalog

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestSources checks that each entry of each file names its source.
func TestSources(t *testing.T) {
	files, err := filepath.Glob("*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(content, &doc); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if string(doc["format"]) != "1" {
			t.Errorf("%s has format %s", file, doc["format"])
		}
		delete(doc, "format")
		for section, body := range doc {
			var entries []struct{ Source string }
			if err := json.Unmarshal(body, &entries); err != nil || len(entries) == 0 {
				t.Errorf("%s: %s has no entries: %v", file, section, err)
			}
			for i, e := range entries {
				if e.Source == "" {
					t.Errorf("%s: %s[%d] has no source", file, section, i)
				}
			}
		}
	}
}
