package doctor

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/apply"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/internal/pyenv"
	"github.com/reconcile-ml/reconcile/internal/report"
	"github.com/reconcile-ml/reconcile/internal/session"
	"github.com/reconcile-ml/reconcile/pkg/resources"
)

// most is how many things of one sort are named.
const most = 10

// built says whether the environment of the manifest is there.
func (p *patient) built() []report.Finding {
	if p.env == nil {
		return omitted("no environment is chosen")
	}
	e, ok := p.standing()
	switch g, current := e.CurrentGeneration(); {
	case !ok:
		return unknown("%s", p.why(facts.EnvironmentKey(p.env.Name)))
	case e.Foreign != "":
		return sick("move it away, then `reconcile apply`", "%s: %s", e.Path, e.Foreign)
	case !current:
		return doubtful("`reconcile apply` builds it", "%s is not built on this machine", p.env.Name)
	case e.Entry != "":
		return doubtful("`reconcile apply` mends it", "generation %s, but %s: %s", g.Name, e.Path, e.Entry)
	default:
		return well("generation %s, Python %s, %s", g.Name, g.Python, plural.Count(len(g.Packages)+len(g.Conda), "package"))
	}
}

// intact takes the quick look at what is installed.
func (p *patient) intact() []report.Finding {
	e, _ := p.standing()
	g, ok := e.CurrentGeneration()
	switch {
	case !ok:
		return omitted("nothing is built")
	case len(g.Damage) == 0:
		return well("as it was installed, by a quick look; `reconcile verify --deep` compares every byte")
	}
	var list []string
	for _, d := range g.Damage[:min(len(g.Damage), most)] {
		list = append(list, d.Subject()+": "+d.Description())
	}
	if more := len(g.Damage) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return sick("`reconcile heal` builds a sound one", "damaged in %s\n%s", plural.Count(len(g.Damage), "place"), strings.Join(list, "\n"))
}

// userSite names packages below the user's home that an interpreter adds to its own.
// An environment of type venv does not see them; one of type conda does.
func (p *patient) userSite() []report.Finding {
	switch {
	case p.env == nil:
		return omitted("no environment is chosen")
	case p.env.Type == "venv":
		return well("an environment of type venv does not see them")
	}
	e, ok := p.standing()
	switch {
	case !ok:
		return unknown("%s", p.why(facts.EnvironmentKey(p.env.Name)))
	case len(e.Leaks) == 0 && e.LeakDir != "":
		return unknown("%s cannot be listed", e.LeakDir)
	case len(e.Leaks) == 0:
		return well("none for Python %s", p.env.Python)
	}
	return doubtful("every way in of reconcile sets PYTHONNOUSERSITE=1; set it where you start this Python by its own path",
		"%s", session.LeakText(e))
}

// pythonVariables looks for variables that bring foreign modules into every Python,
// those of environments too.
func (p *patient) pythonVariables() []report.Finding {
	if p.isRecorded() {
		return omitted("a recorded machine")
	}
	var set []string
	for _, name := range []string{"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP"} {
		if value := p.config.Getenv(name); value != "" {
			set = append(set, name+"="+value)
		}
	}
	if len(set) > 0 {
		return doubtful("unset them for training: unset PYTHONPATH PYTHONHOME PYTHONSTARTUP", "these change what a Python imports\n%s", strings.Join(set, "\n"))
	}
	return well("none is set")
}

// proof runs in the visible generation what apply proves before it makes one visible.
// Where there are torch and a GPU, CUDA is proved though nobody asks for it.
func (p *patient) proof() []report.Finding {
	switch {
	case p.isRecorded():
		return omitted("a recorded machine")
	case p.NoSmokeTest:
		return omitted("--no-smoke-test")
	case p.generation == "":
		return omitted("no environment is built")
	}
	s := p.proofStep()
	if len(s.Imports) == 0 && !s.CUDA && s.QLoRA == nil {
		return omitted("the manifest asks for no proof")
	}
	if p.Testing != nil {
		p.Testing(p.env.Name)
	}
	parts, err := apply.RunSmokeTest(p.ctx, p.generation, s, p.config.GPUEnv())
	if err != nil {
		return sick("`reconcile verify` looks at the files of the environment", "its Python could not be started: %v", err)
	}
	var list []report.Finding
	for _, part := range parts {
		list = append(list, proofFinding(part))
	}
	return list
}

func (p *patient) proofStep() resources.SmokeTest {
	n, asked := p.nvidia()
	card, _ := facts.Find[facts.GPU](p.facts, facts.GPUKey)
	_, torch, _ := pyenv.ReadTorch(p.library)
	s := resources.SmokeTest{
		Imports: p.env.SmokeTest.Imports, Driver: n.CUDA, QLoRA: p.env.SmokeTest.QLoRA,
		GPU: n.State == facts.DriverOK && len(n.Devices) > 0 || !asked && card.Vendor == "nvidia",
	}
	s.CUDA = p.env.SmokeTest.TestCUDA || torch && s.GPU
	return s
}

// proofFinding is one part of a proof as a line of the diagnosis.
func proofFinding(part apply.SmokeTestPart) report.Finding {
	f := report.Finding{
		Code: "proof." + part.Name, Name: map[string]string{"imports": "imports", "cuda": "CUDA works", "qlora": "QLoRA works"}[part.Name],
		State: map[apply.SmokeTestOutcome]report.CheckState{
			apply.SmokeTestPassed: report.OK, apply.SmokeTestSkipped: report.Skipped, apply.SmokeTestUnknown: report.Unknown, apply.SmokeTestFailed: report.Fail,
		}[part.Outcome],
		Found: part.Detail, Remedy: part.Hint,
	}
	if part.Found != "" {
		f.Found += "\n" + part.Found
	}
	switch {
	case part.Outcome == apply.SmokeTestPassed && part.Note != "":
		f.State, f.Found, f.Remedy = report.Warn, f.Found+"\n"+part.Note, cmp.Or(f.Remedy, "update the NVIDIA driver, or use another GPU")
	case part.Outcome == apply.SmokeTestFailed:
		f.Remedy = cmp.Or(f.Remedy, "change the pins in the manifest; `reconcile rollback` goes back to an earlier generation")
	}
	return f
}
