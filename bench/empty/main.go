// Command empty does nothing, with the same command-line library. Benchmarks measure
// `reconcile version` against it.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{Use: "empty"}
	root.AddCommand(&cobra.Command{Use: "version", Run: func(*cobra.Command, []string) { fmt.Println("empty") }})
	if root.Execute() != nil {
		os.Exit(1)
	}
}
