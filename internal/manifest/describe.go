package manifest

// The keys of a manifest are described in describe_*.go: one object for each shape of the
// reader. The JSON Schema and docs/manifest.md are generated from the descriptions. Tests
// check that every key of every shape is described in order, that the reader accepts every
// example, and that reader and schema agree on thousands of changed manifests.

// An object describes one kind of mapping.
type object struct {
	shape *shape
	title string  // its path, "environments.NAME.gpu"
	doc   string  // sentences for users
	keys  []key   // in the order of shape.keys
	rules members // relations between its keys
}

// A key describes one key of an object.
type key struct {
	name    string
	form    form
	doc     string // sentences: meaning, unit, consequence
	absent  any    // the default, nil for none
	example any    // nil if the form needs none
}

// required reports whether the k-th key is required.
func (o *object) required(k int) bool { return k < o.shape.required }

// describe returns the description of the whole manifest.
func describe() *object {
	return &object{
		shape: &manifestShape, title: "manifest.yaml",
		doc: "The desired state of a machine. `reconcile plan` shows how this machine differs, and `reconcile apply` changes it. " +
			"Unknown and duplicate keys, anchors and tags are errors. Values are read as written: 3.10 stays 3.10, quoted or not.",
		keys: []key{
			{"version", formatVersion(), "The version of the manifest format. It is 1.", nil, 1},
			{"project", slugName(), "The name of the project. Prompts and templates use it.", nil, "my-finetune"},
			{"directories", namesOf(snakeName(), formOf(directoryObject())), "Folders, the same on every machine. A name becomes a constant for scripts: `data_raw` becomes DATA_RAW, and a single word gets _DIR, so `models` becomes MODELS_DIR.", nil, nil},
			{"storage", formOf(storageObject()), "The disk space that the project needs. It is compared with the space available to this user before any change.", nil, nil},
			{"environments", namesOf(slugName(), formOf(environmentObject())), "Python environments. A machine gets the one of `--env NAME`, of its section in `hosts`, or the one that matches; of several, the one with `default: true`, or with `--all` all.", nil, nil},
			{"files", listOf(formOf(fileObject())), "Files with their whole content, given here or rendered from a template. A file is replaced atomically. A manual edit is shown as drift, and the edited file is kept in the store when it is replaced.", nil, nil},
			{"models", listOf(formOf(modelObject())), "Models of Hugging Face that the project needs. Apply never downloads them: users do, into the directory `models`, which must be in `directories`.", nil, nil},
			{"sync", namesOf(slugName(), formOf(syncObject())), "Folders to transfer between machines, each in one direction, at the same path on both.", nil, nil},
			{"hosts", namesOf(hostName(), formOf(hostObject())), "Settings of one machine, by the output of `hostname`, without the domain. Case is ignored.", nil, nil},
			{"indexes", nonEmptyListOf(textOr(choice(public), indexObject())), "The package indexes: `public`, the default one, for which each machine may have a mirror in ~/.config/reconcile/config.yaml or RECONCILE_INDEX_URL, and further ones by name, for the packages that are bound to them.", []string{"public"}, []string{"public"}},
			{"interpreters", listOf(formOf(interpreterObject())), "Python builds to download if a machine has no Python of that minor version. They are preferred to the built-in ones.", nil, nil},
			{"moved", listOf(formOf(movedObject())), "Changed addresses, so that a resource is moved on the machine and not deleted and created again.", nil, nil},
			{"audit", formOf(auditObject()), "Findings that `reconcile audit` accepts, and packages that it may send to a database of vulnerabilities.", nil, nil},
		},
		rules: members{modelsNeedTheirDirectory()},
	}
}

func indexObject() *object {
	return &object{
		shape: &indexShape, title: "indexes[]",
		doc: "A package index besides the default one. It is asked only for packages with `index: NAME`, so that no other package can come from it.",
		keys: []key{
			{"name", slugName(), "The name of the index. Locks contain it instead of the URL.", nil, "pytorch-cu128"},
			{"url", indexURL(), "The URL, without user and password.", nil, "https://host.example/whl/cu128"},
		},
	}
}
