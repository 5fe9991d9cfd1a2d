module github.com/reconcile-ml/reconcile

go 1.26.5

require github.com/hashicorp/go-multierror v1.1.1

require github.com/hashicorp/errwrap v1.0.0 // indirect
