package manifest

const modeDoc = "Permission bits in octal: three digits, with or without a leading 0. The owner must be able to read and write."

const protectDoc = "The resource is not deleted if it is later removed from the manifest, and `--replace` does not replace it."

func directoryObject() *object {
	return &object{
		shape: &directoryShape, title: "directories.NAME",
		doc: "A folder. It is created with its parents if it is absent. Its content is not changed.",
		keys: []key{
			{"path", anyPath(), "The folder, relative to the manifest. An absolute path must be allowed by `allow_paths` of a host.", nil, "data/raw"},
			{"purpose", line(), "The purpose of the folder, for users.", nil, "original downloads"},
			{"mode", mode(), modeDoc + " The default is 0755 for a new folder; an existing one is not changed.", nil, "0755"},
			{"protect", boolean(), protectDoc, false, true},
		},
	}
}

// placeObject describes the places of environments and hosts.
func placeObject(in string) *object {
	return &object{
		shape: &placeShape, title: in + ".directories.NAME",
		doc: "Another path for a directory of the manifest. Its common path becomes a link to it.",
		keys: []key{
			{"path", anyPath(), "The folder. A path outside the project must be allowed by `allow_paths` of the host.", nil, "/workspace/models"},
		},
	}
}

func storageObject() *object {
	return &object{
		shape: &storageShape, title: "storage",
		doc: "Disk space on the file system of a path. GB is 10^9 bytes, GiB is 2^30. Space reserved for root is not counted.",
		keys: []key{
			{"path", projectOrAnyPath(), "Any path on the file system to check. `.` is the project.", nil, "."},
			{"warn_below", size(), "With less free space than this a warning is printed. It must not be less than `fail_below`.", nil, "30GB"},
			{"fail_below", size(), "With less free space than this apply refuses before any change.", nil, "20GB"},
			{"budget", listOf(formOf(budgetObject())), "The data to be stored. Every plan prints the sum, and compares it with the space that remains after apply.", nil, nil},
		},
	}
}

func budgetObject() *object {
	return &object{
		shape: &budgetShape, title: "storage.budget[]",
		doc: "One item of the data to be stored.",
		keys: []key{
			{"item", line(), "The name of the item.", nil, "checkpoints"},
			{"size", sizes(), "Its size, or the minimum and the maximum.", nil, "500MB-2GB"},
		},
	}
}

func fileObject() *object {
	return &object{
		shape: &fileShape, title: "files[]",
		doc: "One file with its whole content: either `template` or `content`.",
		keys: []key{
			{"path", innerPath(), "The file, relative to the manifest. Its parent folders are created too.", nil, "scripts/paths.py"},
			{"template", templateName(), "The name of a template in the folder templates/ beside the manifest, ending in .tmpl. A template prints values only through the escape for the language of the file, such as `{{py .project}}`.", nil, "paths.py.tmpl"},
			{"content", content(), "The exact content.", nil, "answer = 42\n"},
			{"values", namesOf(snakeName(), templateValue()), "Further values for the template: texts, numbers, booleans, and lists of them.", nil, map[string]any{"learning_rate": 0.0002}},
			{"mode", mode(), modeDoc + " The default is 0644 for a new file; an existing one is not changed.", nil, "0644"},
			{"protect", boolean(), protectDoc, false, true},
		},
		rules: members{exactlyOne("template", "content"), needs("values", "template")},
	}
}

func hostObject() *object {
	return &object{
		shape: &hostShape, title: "hosts.NAME",
		doc: "Settings of one machine. They override those of an environment.",
		keys: []key{
			{"env", slugName(), "The environment of this machine, whatever its `match`. `--env` overrides it.", nil, "remote"},
			{"allow_paths", listOf(absolutePath()), "Folders outside the project that the manifest may use on this machine.", nil, []string{"/workspace"}},
			{"directories", namesOf(snakeName(), formOf(placeObject("hosts.NAME"))), "Directories of the manifest that have another path on this machine, by name.", nil, nil},
			{"ssh", formOf(sshObject()), "The address of this machine.", nil, nil},
			{"severity", severity(), "The severity of unmet requirements on the driver and GPUs of this machine. With `warn` a login node without a GPU can build the environment.", nil, "warn"},
		},
	}
}

func sshObject() *object {
	return &object{
		shape: &sshShape, title: "hosts.NAME.ssh",
		doc: "The address of a machine for ssh. Keys, users and jump hosts can be set in ~/.ssh/config.",
		keys: []key{
			{"host", sshHost(), "A name or an address, optionally after USER@. It may be a name of ~/.ssh/config.", nil, "ubuntu@gpu1.example.org"},
			{"path", sshPath(), "The folder of the project on that machine. The remote shell reads it, so only letters, digits and / . - _ are allowed.", nil, "/workspace/my-finetune"},
			{"port", integer(1, 65535), "The port of sshd.", 22, 2222},
		},
	}
}

func modelObject() *object {
	return &object{
		shape: &modelShape, title: "models[]",
		doc: "One model at one commit. The downloaded files are compared with it. If it is absent, the download command is printed.",
		keys: []key{
			{"repo", modelRepo(), "The model on Hugging Face, OWNER/NAME.", nil, "mistralai/Mistral-7B-Instruct-v0.3"},
			{"revision", hexadecimal(40), "The commit, 40 hexadecimal digits, because branches and tags move. It is on the model's page under Files and versions.", nil, "c170c708c41dac9275d15a8fff4eca08d52bab71"},
			{"gated", boolean(), "Whether the download needs an accepted licence and a token.", false, true},
			{"exclude", listOf(globPattern()), "Patterns of files to leave out of the download.", nil, []string{"original/*"}},
			{"size", size(), "The size of the download.", nil, "16.1GB"},
			{"environments", nonEmptyListOf(slugName()), "The environments that need the model. The default is all.", nil, []string{"remote"}},
			{"severity", severity(), "The severity if the model is absent: `warn`, or `fail`, which makes apply refuse before any change.", "warn", "fail"},
		},
	}
}

func syncObject() *object {
	return &object{
		shape: &syncShape, title: "sync.NAME",
		doc: "One folder and one direction: either `push` or `pull`.",
		keys: []key{
			{"push", innerPath(), "A folder to copy from this machine to the remote one.", nil, "data/processed"},
			{"pull", innerPath(), "A folder to copy from the remote machine to this one.", nil, "adapters"},
		},
		rules: members{exactlyOne("push", "pull")},
	}
}

func interpreterObject() *object {
	return &object{
		shape: &interpreterShape, title: "interpreters[]",
		doc: "A Python build for one platform, with its SHA-256.",
		keys: []key{
			{"version", pythonRelease(), "The Python release.", nil, "3.10.21"},
			{"platform", choice("linux-aarch64", "linux-x86_64", "macos-arm64", "macos-x86_64"), "The platform of the build.", nil, "linux-x86_64"},
			{"url", fetchURL(), "The URL of the archive: https, http on this machine, or file:///, without user and password.", nil, "https://example.org/cpython-3.10.21-x86_64.tar.gz"},
			{"sha256", hexadecimal(64), "The SHA-256 of the archive, in lower case.", nil, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"},
			{"size", integer(1, 1<<40), "The size of the archive in bytes, for the download size of a plan.", nil, 29000000},
			{"unpacked", size(), "The size of the unpacked archive.", nil, "120MB"},
		},
	}
}

func movedObject() *object {
	return &object{
		shape: &movedShape, title: "moved[]",
		doc: "One changed address. The kind stays the same.",
		keys: []key{
			{"from", address(), "The previous address.", nil, "directory.raw"},
			{"to", address(), "The new address, of the same kind.", nil, "directory.data_raw"},
		},
	}
}

func auditObject() *object {
	return &object{
		shape: &auditShape, title: "audit",
		doc: "The settings of `reconcile audit`. It sends names and versions of public packages only.",
		keys: []key{
			{"ignore", listOf(formOf(ignoreObject())), "Findings that are known and accepted. They are printed, and do not count.", nil, nil},
			{"public_indexes", listOf(slugName()), "Indexes of `indexes` whose packages are public, such as a mirror of PyTorch's. Packages of other indexes by name are not sent.", nil, []string{"pytorch-cu128"}},
			{"private", listOf(packagePattern()), "Packages of the default index that are not sent, for machines whose mirror also has private packages. A * at the end matches any characters.", nil, []string{"acme-*"}},
		},
	}
}

func ignoreObject() *object {
	return &object{
		shape: &ignoreShape, title: "audit.ignore[]",
		doc: "A finding that is known and accepted.",
		keys: []key{
			{"id", findingID(), "The id that `reconcile audit` prints, or one of its aliases.", nil, "CVE-2025-32434"},
			{"why", line(), "The reason why the project is not affected, or accepts it.", nil, "only checkpoints of this project are loaded"},
			{"until", day(), "The last day on which it is accepted. Afterwards it counts again.", nil, "2027-01-31"},
		},
	}
}
