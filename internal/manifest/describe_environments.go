package manifest

import "github.com/reconcile-ml/reconcile/internal/lock"

// The keys of environments that one type alone has, or needs.
var (
	venvOnly  = environmentShape.keys[firstVenv:firstConda]
	condaOnly = environmentShape.keys[firstConda:]
)

func environmentObject() *object {
	return &object{
		shape: &environmentShape, title: "environments.NAME",
		doc: "One Python environment with exact pins. It is built aside from its lock, proved, and then made visible by one link; the one before it stays for `reconcile rollback`.",
		keys: []key{
			{"type", choice("venv", "conda"), "`venv`: a virtual environment of wheels. `conda`: conda brings Python and `conda_packages`, wheels bring `packages`.", nil, "venv"},
			{"python", pythonLine(), "The line of Python, such as 3.10; which release it is, is a fact of the machine.", nil, "3.10"},
			{"packages", listOf(formOf(packageObject())), "What is pinned, as wheels. What these need is found by `reconcile lock`. It may be empty.", nil, nil},
			{"match", formOf(matchObject()), "Which machines the environment is for. Without it the environment is chosen by `--env` or by a host's section alone.", nil, nil},
			{"prove", formOf(proveObject()), "What must work in a new generation before it becomes visible.", nil, nil},
			{"directories", namesOf(snakeName(), formOf(placeObject("environments.NAME"))), "Directories of the manifest that lie elsewhere with this environment, by their name.", nil, nil},
			{"protect", boolean(), protectDoc, false, true},
			{"cuda", formOf(cudaObject()), "What the NVIDIA driver must offer. A driver is never installed, only checked.", nil, nil},
			{"gpu", formOf(gpuObject()), "Which GPUs there must be. Checked before anything is changed.", nil, nil},
			{"path", innerPath(), "Where the environment is visible. For type conda it is .conda/NAME where it is absent.", nil, ".venv"},
			{"lock", lockName(), "The file with the full closure of the pins, with hashes and sizes. `reconcile lock` writes it; commit it.", nil, "locks/pylock.local.toml"},
			{"platforms", nonEmptySetOf(platform()), "The platforms that the lock is for.", nil, []string{"macos-arm64", "linux-x86_64"}},
			{"installer", choice("auto", "uv", "pip"), "What installs wheels. `auto` takes uv where there is one, or fetches a pinned one, and else pip.", "auto", "uv"},
			{"note", line(), "What people should know who choose this environment. A plan says it with -v.", nil, "for old checkpoints alone"},
			{"requirements_file", innerPath(), "Type venv: where the pins are written for pip, each `why` as a comment.", nil, "requirements-local.txt"},
			{"name", slugName(), "Type conda: the name as prompts, clients and the environment file show it. Without it, the name of the environment.", nil, "my-finetune"},
			{"environment_file", innerPath(), "Type conda: where the pins are written for clients of conda.", nil, "environment-remote.yml"},
			{"channels", channels(), "Type conda: where packages of conda come from, in order of priority. A name, https://HOST/PATH or file:///PATH. `nodefaults` keeps the channels of a user's .condarc out of the environment file.", nil, []string{"conda-forge", "nodefaults"}},
			{"register", boolean(), "Type conda: makes one link outside of the project, ~/.conda/envs/NAME, so that `conda activate NAME` finds the environment.", false, true},
			{"engine", choice("auto", "rattler", "micromamba", "mamba", "conda"), "Type conda: what installs packages of conda. `auto` takes the embedded py-rattler, and else a client that the machine has.", "auto", "rattler"},
			{"conda_packages", listOf(formOf(condaPackageObject())), "Type conda: what conda brings beside Python. A package stands here or in `packages`, not in both.", nil, nil},
		},
		rules: relations{all(
			whereIs("type", "venv", having("path", "lock", "platforms"), without(condaOnly...)),
			whereIs("type", "conda", having("lock", "platforms", "channels"), without(venvOnly...)),
		)},
	}
}

func packageObject() *object {
	return &object{
		shape: &packageShape, title: "environments.NAME.packages[]",
		doc: "One package of the Python index at one exact version.",
		keys: []key{
			{"name", packageName(), "The name of the package, without extras.", nil, "pandas"},
			{"version", packageVersion(), "One exact version by PEP 440: no range, no wildcard.", nil, "2.3.3"},
			{"why", line(), "Why this version. It is written as a comment beside the pin.", nil, "last release line for Python 3.10"},
			{"extras", listOf(packageName()), "Extras of the package.", nil, []string{"socks"}},
			{"platforms", nonEmptySetOf(platform()), "The platforms that get the package. Without the key all do.", nil, []string{"linux-x86_64"}},
		},
	}
}

func condaPackageObject() *object {
	return &object{
		shape: &condaPackageShape, title: "environments.NAME.conda_packages[]",
		doc: "One package of conda at one exact version.",
		keys: []key{
			{"name", condaName(), "The name of the package, in small letters.", nil, "pip"},
			{"version", condaWord(), "One exact version. That of `python` is a release of the environment's line.", nil, "24.2"},
			{"build", condaWord(), "The build, as the channel names it. It holds one build for good.", nil, "he725a3c_1_cpython"},
			{"why", line(), "Why this version. It is written as a comment beside the pin.", nil, "triton 2.1 imports it"},
		},
	}
}

func matchObject() *object {
	return &object{
		shape: &matchShape, title: "environments.NAME.match",
		doc: "Which machines an environment is for. All that is given must hold; a list holds where one of its words does.",
		keys: []key{
			{"gpu", oneOrMore(choice("none", "nvidia")), "`nvidia`: there is a GPU with a driver. `none`: there is not.", nil, "nvidia"},
			{"os", oneOrMore(choice("linux", "macos")), "The operating system.", nil, "linux"},
			{"arch", oneOrMore(choice("x86_64", "arm64", "aarch64")), "The processor. arm64 and aarch64 are the same.", nil, []string{"x86_64", "arm64"}},
			{"host", oneOrMore(hostName()), "The name that `hostname` prints, without the domain. Case does not count.", nil, "gpu1"},
		},
		rules: relations{notEmpty()},
	}
}

func proveObject() *object {
	return &object{
		shape: &proveShape, title: "environments.NAME.prove",
		doc: "What must work in a new generation before it becomes visible. A build whose proof fails leaves the current environment as it was. What needs a GPU is skipped where there is none.",
		keys: []key{
			{"imports", setOf(moduleName()), "Modules that must import, by the name that stands behind `import` in Python.", nil, []string{"torch", "google.protobuf"}},
			{"cuda", boolean(), "Whether torch must find CUDA, and be built for one that the driver runs.", false, true},
			{"qlora", formOf(qloraObject()), "A 4-bit layer of bitsandbytes that must compute on the GPU.", nil, nil},
		},
	}
}

func qloraObject() *object {
	return &object{
		shape: &qloraShape, title: "environments.NAME.prove.qlora",
		doc: "The quantisation as training uses it.",
		keys: []key{
			{"quant_type", choice("nf4", "fp4"), "The 4-bit type.", nil, "nf4"},
			{"double_quant", boolean(), "Whether the constants of the quantisation are quantised too.", nil, true},
			{"compute_dtype", choice("bfloat16", "float16", "float32"), "The type that is computed in. bfloat16 needs compute capability 8.0.", nil, "bfloat16"},
		},
	}
}

func cudaObject() *object {
	return &object{
		shape: &cudaShape, title: "environments.NAME.cuda",
		doc: "What the NVIDIA driver must offer.",
		keys: []key{
			{"minimum", twoNumbers(), "The least version of CUDA that the driver must offer. It is that of `nvidia-smi`, not that of nvcc.", nil, "12.1"},
			{"severity", severity(), severityDoc, "fail", "warn"},
		},
	}
}

const severityDoc = "How it counts where it is not met: with `fail` apply refuses before it changes anything, `warn` is said and then ignored."

func gpuObject() *object {
	return &object{
		shape: &gpuShape, title: "environments.NAME.gpu",
		doc: "Which GPUs a program must see.",
		keys: []key{
			{"count", integer(1, 1024), "How many at least.", 1, 2},
			{"memory", size(), "What each must have. A size in GB is what GPUs are sold as, and 95 % of it will do; one in GiB is meant to the byte.", nil, "24GB"},
			{"by_model", namesOf(line(), size()), "The memory by model: goes before `memory` for GPUs whose name holds the words.", nil, map[string]string{"H100": "80GB"}},
			{"compute", twoNumbers(), "The least compute capability. bfloat16 needs 8.0.", nil, "8.0"},
			{"severity", severity(), severityDoc, "fail", "warn"},
		},
	}
}

// platform is one that a lock can be for.
func platform() form { return choice(lock.KnownPlatforms()...) }
