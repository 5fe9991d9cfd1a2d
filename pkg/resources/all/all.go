// Package all lists the kinds of resources.
package all

import (
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/compat"
	"github.com/reconcile-ml/reconcile/pkg/resources/conda"
	"github.com/reconcile-ml/reconcile/pkg/resources/cuda"
	"github.com/reconcile-ml/reconcile/pkg/resources/directory"
	"github.com/reconcile-ml/reconcile/pkg/resources/disk"
	"github.com/reconcile-ml/reconcile/pkg/resources/file"
	"github.com/reconcile-ml/reconcile/pkg/resources/gpu"
	"github.com/reconcile-ml/reconcile/pkg/resources/link"
	"github.com/reconcile-ml/reconcile/pkg/resources/model"
	"github.com/reconcile-ml/reconcile/pkg/resources/pairs"
	"github.com/reconcile-ml/reconcile/pkg/resources/python"
	"github.com/reconcile-ml/reconcile/pkg/resources/tool"
	"github.com/reconcile-ml/reconcile/pkg/resources/venv"
)

// Kinds returns every kind, by name.
func Kinds() []resources.Kind {
	return []resources.Kind{
		compat.Kind, conda.Kind, cuda.Kind, directory.Kind, disk.Kind, file.Kind,
		gpu.Kind, link.Kind, model.Kind, pairs.Kind, python.Kind, tool.Kind, venv.Kind,
	}
}

// Find returns the kind with a name, or false if there is none.
func Find(name string) (resources.Kind, bool) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, true
		}
	}
	return resources.Kind{}, false
}
