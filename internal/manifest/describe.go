package manifest

// What the keys of a manifest mean is said once, in describe_*.go: one object beside
// each shape that the reader knows. The JSON Schema for editors and docs/manifest.md
// are made from that. Tests hold the three together: every key of every shape is
// described in its order, every example is taken by the reader, and reader and schema
// judge thousands of changed manifests alike.

// An object describes one sort of mapping.
type object struct {
	shape *shape    // as the reader knows it: names, order, and which are required
	title string    // where it stands, "environments.NAME.gpu"
	doc   string    // sentences for people
	keys  []key     // in the order of shape.keys
	rules relations // what its keys have to do with each other
}

// A key describes one key of an object.
type key struct {
	name    string
	form    form
	doc     string // sentences: what it is, in which unit, what follows
	absent  any    // the value that holds where the key is absent, nil for none
	example any    // a value as a manifest could have it; nil where the form says enough
}

// required reports whether the reader refuses an object without its k-th key.
func (o *object) required(k int) bool { return k < o.shape.required }

// describe returns the description of the whole manifest. It is made on demand: no
// command but `reconcile schema` needs it.
func describe() *object {
	return &object{
		shape: &manifestShape, title: "manifest.yaml",
		doc: "What a machine must be. `reconcile plan` shows how this machine differs, `reconcile apply` makes it so. " +
			"Unknown and doubled keys, anchors, tags and ranges of versions are errors; a value is taken as it is written, so 3.10 stays 3.10, quoted or not.",
		keys: []key{
			{"version", formatVersion(), "The version of the manifest's format. It is 1.", nil, 1},
			{"project", slugName(), "The name of the project. It stands in prompts and in what templates are given.", nil, "my-finetune"},
			{"directories", namesOf(snakeName(), formOf(directoryObject())), "Folders, the same on every machine. A name becomes a constant for scripts: `data_raw` is DATA_RAW, and a single word gets _DIR, so that `models` is MODELS_DIR.", nil, nil},
			{"storage", formOf(storageObject()), "How much room the project needs. It is compared with what this user can have, before anything is changed.", nil, nil},
			{"environments", namesOf(slugName(), formOf(environmentObject())), "Python environments. A machine gets one: that whose `match` holds, or that of `--env NAME`, or that of its section in `hosts`.", nil, nil},
			{"files", listOf(formOf(fileObject())), "Files with their whole content, given here or rendered from a template. They are replaced in one rename; a hand edit shows as drift, and is kept below .reconcile when it is replaced.", nil, nil},
			{"models", listOf(formOf(modelObject())), "Models of Hugging Face that the project needs. Apply never downloads them: people do, into the directory `models`, which must be in `directories`.", nil, nil},
			{"sync", namesOf(slugName(), formOf(syncObject())), "Folders that travel between machines, each in one direction, at the same path on both.", nil, nil},
			{"hosts", namesOf(hostName(), formOf(hostObject())), "What is different on one machine, by the name that `hostname` prints there, without the domain. Case does not count.", nil, nil},
			{"indexes", publicIndex(), "Where packages come from. The only index that a manifest can name is `public`: a machine's own mirror belongs into .reconcile/local.yaml or RECONCILE_INDEX_URL.", []string{"public"}, []string{"public"}},
			{"interpreters", listOf(formOf(interpreterObject())), "Builds of Python that may be fetched where a machine has none of the line. They go before those that reconcile knows.", nil, nil},
			{"moved", listOf(formOf(movedObject())), "Addresses that have changed, so that a resource is renamed and not built again. This version reads them and does not act on them yet.", nil, nil},
		},
		rules: relations{modelsNeedTheirDirectory()},
	}
}
