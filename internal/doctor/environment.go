package doctor

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/layout"
	"github.com/reconcile-ml/reconcile/internal/manifest"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/resources"
	"github.com/reconcile-ml/reconcile/pkg/resources/pairs"
)

// built reports whether the selected environment is built and can be activated.
func (d *diagnosis) built() findings {
	if d.env == nil {
		return skippedf("no environment is selected")
	}
	e, ok := d.environment()
	switch g, active := e.CurrentGeneration(); {
	case !ok:
		return d.notProbed(facts.EnvironmentKey(d.env.Name))
	case e.Foreign != "":
		return failf("move it away, then run `reconcile apply`", "%s: %s", e.Path, e.Foreign)
	case !active:
		return warnf("`reconcile apply` builds it", "%s is not built on this machine", d.env.Name)
	case e.Entry != "":
		return warnf("`reconcile apply` repairs it", "generation %s, but %s: %s", g.Name, e.Path, e.Entry)
	default:
		return okf("generation %s, Python %s, %s", g.Name, g.Python, plural.Count(len(g.Packages)+len(g.Conda), "package"))
	}
}

// pairs reports locked packages that break each other.
func (d *diagnosis) pairs() findings {
	if d.env == nil {
		return skippedf("no environment is selected")
	}
	_, problem, err := d.manifest.Locked(d.env)
	if problem != nil {
		return skippedf("%s", problem.Summary)
	}
	list, compiled := d.manifest.Resources(d.selection, []*manifest.Environment{d.env})
	if err = cmp.Or(err, compiled); err != nil {
		return skippedf("%v", err) // validate and plan report it
	}
	for _, r := range list {
		spec, ok := r.Spec.(*pairs.Spec)
		if !ok {
			continue
		}
		var found findings
		for _, p := range spec.Problems() {
			found = append(found, problemFinding(p)...)
		}
		if found == nil {
			return okf("%s", spec.Diff(facts.View{}).Summary)
		}
		return found
	}
	return okf("none of the locked packages is known to break another one")
}

// maxDamage is how many damaged places are listed.
const maxDamage = 10

// intact reports the damage that probing finds. It compares no hashes.
func (d *diagnosis) intact() findings {
	e, _ := d.environment()
	g, ok := e.CurrentGeneration()
	switch {
	case !ok:
		return skippedf("no environment is built")
	case len(g.Damage) == 0:
		return okf("no damage found by a quick check; `reconcile verify --deep` compares every byte")
	}
	var list []string
	for _, damage := range g.Damage[:min(len(g.Damage), maxDamage)] {
		list = append(list, damage.Subject()+": "+damage.Description())
	}
	if more := len(g.Damage) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return failf("`reconcile heal` builds an intact one", "damaged in %s\n%s", plural.Count(len(g.Damage), "place"), strings.Join(list, "\n"))
}

// audited reports the result of the latest audit, which is in the store. It uses no network.
func (d *diagnosis) audited() findings {
	project, ok := facts.Find[facts.Project](d.facts, facts.ProjectKey)
	if d.env == nil || d.env.Lock == "" || !ok {
		return skippedf("no environment with a lock is selected")
	}
	again := "`reconcile audit --env " + d.env.Name + "`"
	a, found, current := session.LatestAudit(project.State, d.manifest, d.env)
	switch text := a.Text(d.config.Time()); {
	case !found:
		return one(report.Skipped, again, "the locked packages were not compared with known vulnerabilities yet")
	case !current:
		return one(report.Skipped, again, "the locked packages changed since the audit of %s", a.Time.Format(time.DateOnly))
	case text != "":
		return warnf(again, "%s", text)
	}
	return okf("nothing found on %s", a.Time.Format(time.DateOnly))
}

// userSite reports packages in the user's home that the environment would import. Type
// venv ignores them; type conda does not.
func (d *diagnosis) userSite() findings {
	switch {
	case d.env == nil:
		return skippedf("no environment is selected")
	case d.env.Type == "venv":
		return okf("an environment of type venv ignores them")
	}
	e, ok := d.environment()
	switch {
	case !ok:
		return d.notProbed(facts.EnvironmentKey(d.env.Name))
	case len(e.Leaks) > 0:
		return warnf("every entry point of reconcile sets PYTHONNOUSERSITE=1; set it yourself if you start this Python by its path", "%s", session.LeakText(e))
	case e.LeakDir != "":
		return unknownf("%s cannot be listed", e.LeakDir)
	}
	return okf("none for Python %s", d.env.Python)
}

// references reports kernels, hooks and venvs that start one generation by its own path.
func (d *diagnosis) references() findings {
	e, ok := d.environment()
	if !ok || e.Current == "" {
		return skippedf("no environment is built")
	}
	var list findings
	for _, r := range e.References {
		if r.Generation != e.Current {
			list = append(list, warnf(r.Remedy(), "%s starts generation %s, which is not the active one", r.Subject(), r.Generation)...)
		}
	}
	if len(list) == 0 {
		return okf("no Jupyter kernel, git hook or venv starts another generation")
	}
	return list
}

// pythonVariables reports variables that make every Python import other modules.
func (d *diagnosis) pythonVariables() findings {
	var set []string
	for _, name := range []string{"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"} {
		if value := d.config.Getenv(name); value != "" {
			set = append(set, name+"="+value)
		}
	}
	if len(set) > 0 {
		return warnf("unset them for training: `unset PYTHONPATH PYTHONHOME PYTHONSTARTUP`", "these variables change what Python imports\n%s", strings.Join(set, "\n"))
	}
	return okf("none is set")
}

// smokeTest runs the smoke test of apply in the active generation.
func (d *diagnosis) smokeTest() findings {
	switch {
	case d.NoSmokeTest:
		return skippedf("%s", lines("--no-smoke-test", d.testNote()))
	case d.generation == "":
		return skippedf("no environment is built")
	}
	s := d.smokeTestStep()
	if len(s.Imports) == 0 && !s.CUDA && s.QLoRA == nil && !s.MPS {
		return skippedf("the manifest asks for no smoke test")
	}
	e, _ := d.environment()
	if g, ok := e.CurrentGeneration(); ok {
		if changed := d.changedBuild(g.Base); changed != "" {
			return failf("`reconcile heal` fetches the interpreter again", "not started: %s: %s", g.Base, changed)
		}
	}
	if d.Testing != nil {
		d.Testing(d.env.Name)
	}
	parts, err := apply.RunSmokeTest(d.ctx, d.generation, layout.Temp(d.prober.Store()), s, d.config.GPUEnv())
	if err != nil {
		return failf("`reconcile verify` checks the files of the environment", "the environment's Python could not be started: %v", err)
	}
	if t, ok := session.NewActiveTest(d.facts, d.env, d.config.Flags(d.env)); ok {
		_ = t.Record(parts, time.Now()) // in a store that is read-only it is tested again
	}
	var list findings
	for _, part := range parts {
		list = append(list, smokeTestFinding(part))
	}
	if len(list) > 0 && !command.CanIsolate() {
		list[0].Found = lines(list[0].Found, "with access to the network: this system permits no network namespace")
	}
	return list
}

// testNote returns that the active generation did not pass its smoke test on this machine, or
// "".
func (d *diagnosis) testNote() string {
	if t, ok := session.NewActiveTest(d.facts, d.env, d.config.Flags(d.env)); ok {
		return t.Note()
	}
	return ""
}

// smokeTestStep returns the smoke test of the environment. With torch and a GPU it always
// tests CUDA.
func (d *diagnosis) smokeTestStep() resources.SmokeTest {
	n, ok := d.nvidia()
	_, torch, _ := pyenv.ReadTorch(d.library)
	s := resources.SmokeTest{
		Imports: d.env.SmokeTest.Imports, Driver: n.CUDA, QLoRA: d.env.SmokeTest.QLoRA,
		GPU: n.State == facts.DriverOK && len(n.Devices) > 0 || !ok && d.gpu().Vendor == "nvidia",
	}
	host, _ := facts.Find[facts.Host](d.facts, facts.HostKey)
	s.MPS, s.Apple = d.env.SmokeTest.TestMPS, host.HasAppleGPU()
	s.CUDA = d.env.SmokeTest.TestCUDA || torch && s.GPU
	return s
}

// smokeTestFinding converts one part of a smoke test.
func smokeTestFinding(part apply.SmokeTestPart) report.Finding {
	f := report.Finding{
		Code: "proof." + part.Name, Name: map[string]string{"imports": "imports", "cuda": "CUDA works", "qlora": "QLoRA works", "mps": "MPS works"}[part.Name],
		Found: lines(part.Detail, part.Found), Remedy: part.Hint,
	}
	switch part.Outcome {
	case apply.SmokeTestSkipped:
		f.State = report.Skipped
	case apply.SmokeTestUnknown:
		f.State = report.Unknown
	case apply.SmokeTestFailed:
		f.State, f.Remedy = report.Fail, cmp.Or(f.Remedy, "change the versions in the manifest, or run `reconcile rollback` to activate an earlier generation")
	case apply.SmokeTestPassed:
		if f.State = report.OK; part.Note != "" {
			f.State, f.Found, f.Remedy = report.Warn, f.Found+"\n"+part.Note, cmp.Or(f.Remedy, "update the NVIDIA driver, or use another GPU")
		}
	}
	return f
}
