package lock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/reconcile-ml/reconcile/internal/command"
	"github.com/reconcile-ml/reconcile/internal/diag"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/indexerror"
	"github.com/reconcile-ml/reconcile/internal/pep"
	"github.com/reconcile-ml/reconcile/internal/rattler"
)

// A CondaRequest is the input for solving conda packages. They are always solved by the
// embedded py-rattler, so that a manifest gives the same lock on every machine.
type CondaRequest struct {
	Channels    []string // in order of priority
	Specs       []string // CondaSpecs
	CUDA        string   // minimum version of the driver: "12.1"; "" for none
	Wheel       string   // absolute path of the pinned py-rattler wheel
	WheelSHA256 facts.SHA256
	Cache       string   // absolute
	Env         []string // KEY=value: channels, CA and proxy of this machine
	Pos         diag.Pos
}

// solve solves the conda packages of a platform. It keeps those of the previous lock if
// the channels, specs and systems are the same: channels change every hour, and a lock should change
// only with its manifest.
func (r *resolver) solve(ctx context.Context, platform string) ([]rattler.Package, error) {
	var locked []rattler.Package
	if r.Previous != nil && r.Previous.Conda != nil && !r.Upgrade {
		locked = r.Previous.Conda.For(platform)
	}
	if len(locked) > 0 && slices.Equal(r.Previous.Conda.Channels, r.Conda.Channels) && slices.Equal(r.Previous.Conda.Requests, r.Conda.Specs) && r.Previous.Systems == r.Systems {
		return locked, nil
	}
	dir := filepath.Join(r.Dir, "conda-"+platform)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.MkdirAll(r.Conda.Cache, 0o700)); err != nil {
		return nil, err
	}
	request, err := json.Marshal(rattler.Request{
		Wheel: r.Conda.Wheel, WheelSHA256: r.Conda.WheelSHA256.String(), Cache: r.Conda.Cache,
		Channels: r.Conda.Channels, Subdir: rattler.Subdir(platform),
		Specs: r.Conda.Specs, Virtual: rattler.Virtual(platform, fmt.Sprintf("2.%d", r.Systems.glibc()), r.Systems.macOS(), r.Conda.CUDA), Locked: locked,
	})
	if err != nil {
		return nil, err
	}
	script, input := filepath.Join(dir, "conda.py"), filepath.Join(dir, "conda.json")
	if err := errors.Join(os.WriteFile(script, []byte(rattler.Script), 0o600), os.WriteFile(input, request, 0o600)); err != nil {
		return nil, fmt.Errorf("prepare the conda packages for %s: %w", platform, err)
	}
	result, err := command.Run(ctx, command.Command{
		Program: r.Interpreter, Args: []string{"-I", "-B", script, input}, Env: r.Conda.Env, Dir: dir, Private: r.Dir,
		Timeout: 10 * time.Minute, Redactor: r.Redactor, Line: r.Line, Keep: 16 << 20,
	})
	if err != nil {
		return nil, r.unsolved(ctx, platform, err)
	}
	list, err := rattler.Solved(result.Stdout)
	if err != nil {
		return nil, fmt.Errorf("solve %s for %s: %w", r.Path, platform, err)
	}
	for i := range list {
		if problem := CheckConda(&CondaPackage{platform, list[i]}); problem != "" {
			return nil, &diag.Problem{
				Code: "lock.conda", Pos: r.Conda.Pos, Summary: "a channel has a package that cannot be locked for " + platform, Found: problem,
				Hint: "pin another version, or report it to the channel",
			}
		}
	}
	return list, nil
}

// unsolved returns the Problem of a failure of py-rattler.
func (r *resolver) unsolved(ctx context.Context, platform string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("solve %s for %s: %w", r.Path, platform, context.Cause(ctx))
	}
	ran, ok := errors.AsType[*command.Error](err)
	if !ok {
		return err
	}
	output := strings.Join(ran.Tail, "\n")
	p := &diag.Problem{Code: "lock.conda", Pos: r.Conda.Pos, Found: output}
	switch _, unreached := indexerror.Unreachable(output); {
	case strings.Contains(output, "SolverError"):
		p.Summary = fmt.Sprintf("%s cannot be installed together for %s from %s", strings.Join(r.Conda.Specs, ", "), platform, strings.Join(r.Conda.Channels, ", "))
		p.Found = strings.TrimSpace(strings.TrimPrefix(output, "SolverError:"))
		p.Hint = "change `python`, `conda_packages` or `channels`"
	case unreached || strings.Contains(output, "error sending request") || strings.Contains(output, "FetchRepoDataError") || strings.Contains(output, "GatewayError"):
		p.Code, p.Summary = "lock.channel", "a channel could not be read: "+strings.Join(r.Conda.Channels, ", ")
		p.Hint = "check its name and the network, or set a mirror of all channels as `conda_alias` in ~/.config/reconcile/config.yaml or RECONCILE_CONDA_ALIAS"
	case strings.Contains(output, "InvalidMatchSpec"):
		p.Summary = "py-rattler cannot parse the conda packages: " + strings.Join(r.Conda.Specs, ", ")
		p.Hint = "write each version and build in `conda_packages` as the channel lists it"
	default:
		return fmt.Errorf("solve %s for %s with py-rattler: %w\n%s", r.Path, platform, err, output)
	}
	return p
}

// withoutProvided removes the Python packages that conda installs, so that pip does not
// replace them.
func withoutProvided(packages []Package, provided map[string]string) []Package {
	return slices.DeleteFunc(packages, func(p Package) bool { return provided[pep.Normalize(p.Name)] != "" })
}
