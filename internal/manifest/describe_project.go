package manifest

const modeDoc = "Permission bits in octal, as chmod takes them: three digits, with a leading 0 or without. The owner must be able to read and write."

// protectDoc is honest: there is no plan yet that removes what a manifest still names.
const protectDoc = "Marks what must never be deleted. This version deletes nothing that a manifest names, so it has no effect yet."

func directoryObject() *object {
	return &object{
		shape: &directoryShape, title: "directories.NAME",
		doc: "A folder. It is made with its parents where it is absent, and what lies in it is left alone.",
		keys: []key{
			{"path", anyPath(), "The folder, relative to the manifest. An absolute path must be allowed by `allow_paths` of a host.", nil, "data/raw"},
			{"purpose", line(), "What the folder is for. It is shown to people and compared with nothing.", nil, "original downloads"},
			{"mode", mode(), modeDoc + " Without it a new folder gets 0755, and one that is there keeps its own.", nil, "0755"},
			{"protect", boolean(), protectDoc, false, true},
		},
	}
}

// placeObject describes what environments and hosts have alike; in says which.
func placeObject(in string) *object {
	return &object{
		shape: &placeShape, title: in + ".directories.NAME",
		doc: "Where a directory of the manifest lies instead. A link stands at its common path.",
		keys: []key{
			{"path", anyPath(), "The folder itself. One outside of the project must be allowed by `allow_paths` of the host.", nil, "/workspace/models"},
		},
	}
}

func storageObject() *object {
	return &object{
		shape: &storageShape, title: "storage",
		doc: "Room on the file system that holds a path. GB is 10^9 bytes, GiB is 2^30. What is reserved for root does not count as free.",
		keys: []key{
			{"path", here(), "Any path; its file system is measured. `.` is the project's own.", nil, "."},
			{"warn_below", size(), "With less than this free there is a warning; nothing else follows. It is not less than `fail_below`.", nil, "30GB"},
			{"fail_below", size(), "With less than this free apply refuses before it changes anything.", nil, "20GB"},
			{"budget", listOf(formOf(budgetObject())), "What will be stored here. The sum is printed with every plan and compared with what will be free after it.", nil, nil},
		},
	}
}

func budgetObject() *object {
	return &object{
		shape: &budgetShape, title: "storage.budget[]",
		doc: "One thing that will take room.",
		keys: []key{
			{"item", line(), "What it is.", nil, "checkpoints"},
			{"size", sizes(), "What it takes: one size, or the least and the most.", nil, "500MB-2GB"},
		},
	}
}

func fileObject() *object {
	return &object{
		shape: &fileShape, title: "files[]",
		doc: "One file with its whole content: either `template` or `content`.",
		keys: []key{
			{"path", innerPath(), "The file, relative to the manifest. Its parents are made too.", nil, "scripts/paths.py"},
			{"template", templateName(), "The name of a template in the folder templates/ beside the manifest. It ends in .tmpl. A template prints values only through the escape for the language of the file, such as `{{py .project}}`.", nil, "paths.py.tmpl"},
			{"content", content(), "The content itself, to the byte.", nil, "answer = 42\n"},
			{"values", namesOf(snakeName(), templateValue()), "What the template is given beside the project's own names: texts, numbers, true and false, and lists of them.", nil, map[string]any{"learning_rate": 0.0002}},
			{"mode", mode(), modeDoc + " Without it a new file gets 0644, and one that is there keeps its own.", nil, "0644"},
			{"protect", boolean(), protectDoc, false, true},
		},
		rules: relations{exactlyOne("template", "content"), needs("values", "template")},
	}
}

func hostObject() *object {
	return &object{
		shape: &hostShape, title: "hosts.NAME",
		doc: "What is different on one machine. It goes before what an environment says.",
		keys: []key{
			{"env", slugName(), "The environment of this machine, whatever it matches. `--env` goes before it.", nil, "remote"},
			{"allow_paths", listOf(absolutePath()), "Folders outside of the project in which this machine may have what the manifest names.", nil, []string{"/workspace"}},
			{"directories", namesOf(snakeName(), formOf(placeObject("hosts.NAME"))), "Directories of the manifest that lie elsewhere on this machine, by their name.", nil, nil},
			{"ssh", formOf(sshObject()), "Where this machine can be reached.", nil, nil},
			{"severity", severity(), "How a requirement on driver and GPUs that is not met counts on this machine. With `warn` a login node without a GPU builds the environment on purpose.", nil, "warn"},
		},
	}
}

func sshObject() *object {
	return &object{
		shape: &sshShape, title: "hosts.NAME.ssh",
		doc: "Where a machine can be reached by ssh. Keys, users and jump hosts may also stand in ~/.ssh/config.",
		keys: []key{
			{"host", sshHost(), "A name or an address, with USER@ before it or not. It may be a name of ~/.ssh/config.", nil, "ubuntu@gpu1.example.org"},
			{"path", sshPath(), "The folder of the project over there. Another shell reads it, so it holds letters, digits and / . - _ alone.", nil, "/workspace/my-finetune"},
			{"port", integer(1, 65535), "The port that sshd listens on.", 22, 2222},
		},
	}
}

func modelObject() *object {
	return &object{
		shape: &modelShape, title: "models[]",
		doc: "One model, at one commit. What is there is compared with it; what is absent is explained, with the command to type.",
		keys: []key{
			{"repo", modelRepo(), "The model on Hugging Face, OWNER/NAME.", nil, "mistralai/Mistral-7B-Instruct-v0.3"},
			{"revision", hexadecimal(40), "The commit, 40 hexadecimal digits: branches and tags move. It stands on the model's page under Files and versions.", nil, "c170c708c41dac9275d15a8fff4eca08d52bab71"},
			{"gated", boolean(), "Whether a licence must be accepted and a token shown before it can be downloaded.", false, true},
			{"exclude", listOf(globPattern()), "Patterns of files that are not needed, as the hub's command takes them.", nil, []string{"original/*"}},
			{"size", size(), "What is downloaded.", nil, "16.1GB"},
			{"environments", nonEmptyListOf(slugName()), "The environments that need it. Without the key all do.", nil, []string{"remote"}},
			{"severity", severity(), "How its absence counts: `warn`, or `fail`, which stops apply before it changes anything.", "warn", "fail"},
		},
	}
}

func syncObject() *object {
	return &object{
		shape: &syncShape, title: "sync.NAME",
		doc: "One folder and one direction: either `push` or `pull`.",
		keys: []key{
			{"push", innerPath(), "A folder that goes from here to the far machine.", nil, "data/processed"},
			{"pull", innerPath(), "A folder that comes from the far machine to here.", nil, "adapters"},
		},
		rules: relations{exactlyOne("push", "pull")},
	}
}

func interpreterObject() *object {
	return &object{
		shape: &interpreterShape, title: "interpreters[]",
		doc: "One build of Python for one platform, held to its SHA-256.",
		keys: []key{
			{"version", pythonRelease(), "The release of Python.", nil, "3.10.21"},
			{"platform", choice("linux-aarch64", "linux-x86_64", "macos-arm64", "macos-x86_64"), "The platform that it is built for.", nil, "linux-x86_64"},
			{"url", fetchURL(), "Where it lies: https, http of this machine, or file:///. It holds no name and no password.", nil, "https://example.org/cpython-3.10.21-x86_64.tar.gz"},
			{"sha256", hexadecimal(64), "The SHA-256 of the archive, in lower case.", nil, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
			{"size", integer(1, 1<<40), "The size of the archive in bytes, so that a plan can say what is downloaded.", nil, 29000000},
			{"unpacked", size(), "What it takes on disk when it is unpacked.", nil, "120MB"},
		},
	}
}

func movedObject() *object {
	return &object{
		shape: &movedShape, title: "moved[]",
		doc: "One change of an address. The kind stays.",
		keys: []key{
			{"from", address(), "The address as it was.", nil, "directory.raw"},
			{"to", address(), "The address as it is now, of the same kind.", nil, "directory.data_raw"},
		},
	}
}
