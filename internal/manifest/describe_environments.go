package manifest

import "github.com/reconcile-ml/reconcile/internal/lock"

func environmentObject() *object {
	return &object{
		shape: &environmentShape, title: "environments.NAME",
		doc: "A Python environment. A new generation is built from the lock, tested, and then made active by replacing one link. The previous generation is kept for `reconcile rollback`.",
		keys: []key{
			{"python", pythonMinor(), "The Python minor version, such as 3.10. Each machine has its own release of it.", nil, "3.10"},
			{"type", choice("venv", "conda"), "`venv`: a virtual environment of wheels. `conda`: conda installs Python and `conda_packages`, and wheels provide `packages`.", "venv", "conda"},
			{"packages", listOf(textOr(requirement(), packageObject())), "Packages: texts by PEP 508, or mappings. `reconcile lock` adds their dependencies. The list may be empty.", nil, nil},
			{"match", formOf(matchObject()), "The machines of the environment. Without it, the environment is for every machine if no environment of the manifest has a `match`; else it is chosen only by `--env`, by the section of a host, or as the `default`.", nil, nil},
			{"smoke_test", formOf(smokeTestObject()), "Tests that must pass in a new generation before it becomes active. The previous name of this key, `prove`, is still accepted.", nil, nil},
			{"directories", namesOf(snakeName(), formOf(placeObject("environments.NAME"))), "Directories of the manifest that have another path in this environment, by name.", nil, nil},
			{"protect", boolean(), protectDoc, false, true},
			{"cuda", formOf(cudaObject()), "A requirement on the NVIDIA driver. The driver is checked and never installed.", nil, nil},
			{"gpu", formOf(gpuObject()), "A requirement on the GPUs. It is checked before any change.", nil, nil},
			{"pairs", formOf(pairsObject()), "How known conflicts between locked packages are reported. They are compared in every environment.", nil, nil},
			{"path", innerPath(), "The link to the active generation. The default is .venv, for type conda .conda/NAME.", nil, ".venv"},
			{"lock", lockName(), "The file with all packages, their hashes and sizes. `reconcile lock` writes it; commit it. The default is locks/pylock.NAME.toml. The lock of another tool is read, and stays its own: uv.lock, poetry.lock, pixi.lock, pylock.toml.", nil, "locks/pylock.local.toml"},
			{"platforms", nonEmptySetOf(platform()), "The platforms of the lock.", nil, []string{"macos-arm64", "linux-x86_64"}},
			{"installer", choice("auto", "uv", "pip"), "Has no effect, and can be removed: reconcile installs wheels itself.", "auto", "uv"},
			{"compile", choice("imports", "all"), "The bytecode that is written before the environment becomes active: that of the modules that the smoke test imports, or of all packages. Python writes the rest at the first import. `all` is for environments that are read-only afterwards, such as those of images.", "imports", "all"},
			{"note", line(), "A note for users of the environment. `plan -v` prints it.", nil, "only for old checkpoints"},
			{"exact", boolean(), "Whether each package must have one exact version. Otherwise the lock decides within the ranges, and moves only with `reconcile lock --upgrade`.", false, true},
			{"requirements", setOf(fileReference()), "Files of the project that request more packages: requirements files of pip, pyproject.toml, setup.cfg, environment.yml. They stay the source. Extras and dependency groups follow `#`.", nil, []string{"requirements.txt", "pyproject.toml#train,dev"}},
			{"project", choice("editable"), "`editable` installs the project itself: its code is imported from its directory, and its console scripts exist.", nil, "editable"},
			{"build", listOf(textOr(packageName(), buildObject())), "The packages that may be built from source. Building runs their code, isolated and without network, once for each store.", nil, []any{"langdetect"}},
			{"glibc", twoNumbers(), "The version of glibc that all Linux machines have at least. Wheels may need it. RHEL 8 has 2.28, Ubuntu 20.04 2.31, Ubuntu 22.04 2.35. A plan for a machine with an older one than a locked wheel needs is blocked.", "2.28", "2.31"},
			{"macos", macOS(), "The version of macOS that all Macs have at least. Wheels may need it, as those of torch need 14 from 2.12 on. A plan for a machine with an older one than a locked wheel needs is blocked.", "14", "15"},
			{"default", boolean(), "The environment of a machine that several match. Without `match`: also the one of a machine that no other matches.", false, true},
			{"requirements_file", innerPath(), "Type venv: the file to which the locked versions are written for pip, with each `why` as a comment.", nil, "requirements-local.txt"},
			{"name", slugName(), "Type conda: the name in prompts, conda clients and the environment file. The default is the name of the environment.", nil, "my-finetune"},
			{"environment_file", innerPath(), "Type conda: the file to which the locked versions are written for conda clients.", nil, "environment-remote.yml"},
			{"channels", channels(), "Type conda: the channels, in order of priority: a name, https://HOST/PATH or file:///PATH. `nodefaults` in the environment file excludes the channels of a user's .condarc.", nil, []string{"conda-forge", "nodefaults"}},
			{"register", boolean(), "Type conda: creates the link ~/.conda/envs/NAME, outside the project, so that `conda activate NAME` finds the environment.", false, true},
			{"engine", choice("auto", "rattler", "micromamba", "mamba", "conda"), "Type conda: the installer of conda packages. `auto` uses the embedded py-rattler, else a conda client of the machine.", "auto", "rattler"},
			{"conda_packages", listOf(formOf(condaPackageObject())), "Type conda: pinned conda packages besides Python. A package must not be in `packages` too.", nil, nil},
		},
		rules: members{allOf(
			ifEqual("type", "venv", requires("platforms"), forbids(condaOnly()...)),
			ifEqual("type", "conda", requires("platforms", "channels"), forbids(venvOnly()...)),
			ifAbsent("type", requires("platforms"), forbids(condaOnly()...)),
		)},
	}
}

func packageObject() *object {
	return &object{
		shape: &packageShape, title: "environments.NAME.packages[]",
		doc: "A Python package. The same as a text by PEP 508 is shorter: `\"pandas>=2,<3\"`.",
		keys: []key{
			{"name", packageName(), "The name of the package, without extras.", nil, "pandas"},
			{"version", packageVersion(), "One exact version, or a range by PEP 440. The default is any version. With `exact` it must be one version.", nil, "2.3.3"},
			{"why", line(), "The reason for this version. It is a comment above the package in `requirements_file` and `environment_file`.", nil, "last minor version for Python 3.10"},
			{"extras", listOf(packageName()), "Extras of the package.", nil, []string{"socks"}},
			{"platforms", nonEmptySetOf(platform()), "The platforms that install the package. The default is all.", nil, []string{"linux-x86_64"}},
			{"index", slugName(), "The index of `indexes` that the package must come from. No other index is asked for it.", nil, "pytorch-cu128"},
			{"url", directURL(), "Where the package comes from instead of an index: git+https://HOST/OWNER/NAME@COMMIT with the full commit, https://HOST/FILE.whl, or a file or directory of the project, ./libs/NAME.", nil, "./libs/mypkg"},
		},
	}
}

func buildObject() *object {
	return &object{
		shape: &buildShape, title: "environments.NAME.build[]",
		doc: "A package that may be built from source. Its name alone suffices.",
		keys: []key{
			{"name", packageName(), "The name of the package.", nil, "flash-attn"},
			{"with", listOf(packageName()), "Packages of the environment that the build imports. The default is torch for packages that are known to need it.", nil, []string{"torch"}},
		},
	}
}

func condaPackageObject() *object {
	return &object{
		shape: &condaPackageShape, title: "environments.NAME.conda_packages[]",
		doc: "A conda package at one exact version.",
		keys: []key{
			{"name", condaName(), "The name of the package, in lower case.", nil, "pip"},
			{"version", condaWord(), "One exact version. `python` must be a release of the environment's minor version.", nil, "24.2"},
			{"build", condaWord(), "The build, as the channel lists it.", nil, "he725a3c_1_cpython"},
			{"why", line(), "The reason for this version. It is a comment above the package in `requirements_file` and `environment_file`.", nil, "triton 2.1 imports it"},
		},
	}
}

func matchObject() *object {
	return &object{
		shape: &matchShape, title: "environments.NAME.match",
		doc: "Conditions on a machine. All of them must hold; a list holds if one of its words does.",
		keys: []key{
			{"gpu", oneOrMoreOf(choice(vendors()...)), "The GPU. `none`: there is no NVIDIA GPU, and no other environment that matches names the vendor of the GPU. `amd`, `intel`, `apple`: there is a GPU of this vendor, also as part of the processor, and no NVIDIA GPU.", nil, "nvidia"},
			{"os", oneOrMoreOf(choice("linux", "macos")), "The operating system.", nil, "linux"},
			{"arch", oneOrMoreOf(choice("x86_64", "arm64", "aarch64")), "The processor. arm64 and aarch64 are equal.", nil, []string{"x86_64", "arm64"}},
			{"host", oneOrMoreOf(hostName()), "The output of `hostname`, without the domain. Case is ignored.", nil, "gpu1"},
		},
		rules: members{{"minProperties", 1}},
	}
}

func smokeTestObject() *object {
	return &object{
		shape: &smokeTestShape, title: "environments.NAME.smoke_test",
		doc: "Tests that must pass in a new generation before it becomes active. If one fails, the active generation is not changed. Tests that need a GPU are skipped if there is none, and that is reported.",
		keys: []key{
			{"imports", setOf(moduleName()), "Modules to import, by the name that follows `import` in Python.", nil, []string{"torch", "google.protobuf"}},
			{"cuda", boolean(), "Whether torch must find CUDA, and be built for a version that the driver supports.", false, true},
			{"qlora", formOf(qloraObject()), "A 4-bit layer of bitsandbytes that must compute on the GPU.", nil, nil},
			{"mps", boolean(), "Whether torch must compute on the GPU of a Mac with Apple silicon (device `mps`). Skipped on other machines.", false, true},
		},
	}
}

func qloraObject() *object {
	return &object{
		shape: &qloraShape, title: "environments.NAME.smoke_test.qlora",
		doc: "The quantisation used for training.",
		keys: []key{
			{"quant_type", choice("nf4", "fp4"), "The 4-bit type.", nil, "nf4"},
			{"double_quant", boolean(), "Whether the quantisation constants are quantised too.", nil, true},
			{"compute_dtype", choice("bfloat16", "float16", "float32"), "The type for computation. bfloat16 needs compute capability 8.0.", nil, "bfloat16"},
		},
	}
}

const severityDoc = "The severity if the requirement is not met: with `fail` apply refuses before any change, with `warn` it prints a warning and continues."

func cudaObject() *object {
	return &object{
		shape: &cudaShape, title: "environments.NAME.cuda",
		doc: "A requirement on the NVIDIA driver.",
		keys: []key{
			{"minimum", twoNumbers(), "The minimum CUDA version of the driver, as `nvidia-smi` prints it, not that of nvcc.", nil, "12.1"},
			{"severity", severity(), severityDoc, "fail", "warn"},
		},
	}
}

func pairsObject() *object {
	return &object{
		shape: &pairsShape, title: "environments.NAME.pairs",
		doc: "Locked packages that are known to break each other although their metadata allows them: [kinds/pairs.md](kinds/pairs.md).",
		keys: []key{
			{"severity", severity(), "With `fail` apply refuses an environment that cannot work, before any change; with `warn` it prints a warning and continues.", "fail", "warn"},
		},
	}
}

func gpuObject() *object {
	return &object{
		shape: &gpuShape, title: "environments.NAME.gpu",
		doc: "A requirement on the GPUs that a program can use.",
		keys: []key{
			{"count", integer(1, 1024), "The minimum number of GPUs.", 1, 2},
			{"memory", size(), "The minimum memory of each GPU. A size in GB is the one advertised, of which 95 % is enough; a size in GiB is exact.", nil, "24GB"},
			{"by_model", namesOf(line(), size()), "The memory by model. It overrides `memory` for GPUs whose name contains the words.", nil, map[string]string{"H100": "80GB"}},
			{"compute", twoNumbers(), "The minimum compute capability. bfloat16 needs 8.0.", nil, "8.0"},
			{"severity", severity(), severityDoc, "fail", "warn"},
		},
	}
}

func platform() form { return choice(lock.KnownPlatforms()...) }
