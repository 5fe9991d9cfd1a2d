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

// A CondaRequest is what solving the part of conda needs beside the rest. Locks are
// always solved by the embedded py-rattler, whatever client a machine has, so that
// the same manifest gives the same lock everywhere.
type CondaRequest struct {
	Channels    []string // in order of priority
	Specs       []string // CondaSpecs
	CUDA        string   // that a driver must offer: "12.1"; "" if none is asked for
	Wheel       string   // absolute path of the pinned wheel of py-rattler
	WheelSHA256 facts.SHA256
	Cache       string   // absolute
	Env         []string // KEY=value: where channels lie
	Pos         diag.Pos
}

// solve finds what conda installs on one platform. What was asked of the previous
// lock is not asked again: channels grow every hour, and a lock changes when its
// manifest does.
func (r *resolver) solve(ctx context.Context, platform string) ([]rattler.Package, error) {
	locked := r.locked(platform)
	if len(locked) > 0 && slices.Equal(r.Previous.Conda.Channels, r.Conda.Channels) && slices.Equal(r.Previous.Conda.Requests, r.Conda.Specs) {
		return locked, nil
	}
	dir := filepath.Join(r.Dir, "conda-"+platform)
	if err := errors.Join(os.Mkdir(dir, 0o700), os.MkdirAll(r.Conda.Cache, 0o700)); err != nil {
		return nil, err
	}
	request, err := json.Marshal(rattler.Request{
		Wheel: r.Conda.Wheel, WheelSHA256: r.Conda.WheelSHA256.String(), Cache: r.Conda.Cache,
		Channels: r.Conda.Channels, Subdir: rattler.Subdir(platform),
		Specs: r.Conda.Specs, Virtual: rattler.Virtual(platform, r.Conda.CUDA), Locked: locked,
	})
	if err != nil {
		return nil, err
	}
	script, question := filepath.Join(dir, "conda.py"), filepath.Join(dir, "conda.json")
	if err := errors.Join(os.WriteFile(script, []byte(rattler.Script), 0o600), os.WriteFile(question, request, 0o600)); err != nil {
		return nil, fmt.Errorf("prepare the packages of conda for %s: %w", platform, err)
	}
	result, err := command.Run(ctx, command.Command{
		Program: r.Interpreter, Args: []string{"-I", "-B", script, question}, Env: slices.Concat(r.IndexEnv, r.Conda.Env), Dir: dir,
		Timeout: 10 * time.Minute, Secrets: r.Secrets, Line: r.Line, Keep: 16 << 20,
	})
	if err != nil {
		return nil, r.unsolved(ctx, platform, err)
	}
	list, err := rattler.Solved(result.Stdout)
	if err != nil {
		return nil, fmt.Errorf("solve %s for %s: %w", r.Path, platform, err)
	}
	for i := range list {
		if wrong := checkConda(&CondaPackage{platform, list[i]}); wrong != "" {
			return nil, &diag.Problem{
				Code: "lock.conda", Pos: r.Conda.Pos, Summary: "a channel offers what cannot be locked for " + platform, Found: wrong,
				Hint: "pin another version, or ask whoever runs the channel",
			}
		}
	}
	return list, nil
}

// locked is what the previous lock has for a platform, nothing where that is not to
// be kept.
func (r *resolver) locked(platform string) []rattler.Package {
	if r.Previous == nil || r.Previous.Conda == nil || r.Upgrade {
		return nil
	}
	return r.Previous.Conda.For(platform)
}

// unsolved says what a failure of py-rattler means for the one who wrote the
// manifest.
func (r *resolver) unsolved(ctx context.Context, platform string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("solve %s for %s: %w", r.Path, platform, context.Cause(ctx))
	}
	ran, ok := errors.AsType[*command.Error](err)
	if !ok {
		return err
	}
	said := strings.Join(ran.Tail, "\n")
	p := &diag.Problem{Code: "lock.conda", Pos: r.Conda.Pos, Found: said}
	switch _, unreached := indexerror.Unreachable(said); {
	case strings.Contains(said, "SolverError"):
		p.Summary = fmt.Sprintf("%s cannot be had together for %s from %s", strings.Join(r.Conda.Specs, ", "), platform, strings.Join(r.Conda.Channels, ", "))
		p.Found = strings.TrimSpace(strings.TrimPrefix(said, "SolverError:"))
		p.Hint = "change `python`, `conda_packages` or `channels`"
	case unreached || strings.Contains(said, "error sending request") || strings.Contains(said, "FetchRepoDataError") || strings.Contains(said, "GatewayError"):
		p.Code, p.Summary = "lock.channel", "a channel could not be read: "+strings.Join(r.Conda.Channels, ", ")
		p.Hint = "check its name and the network; a mirror of all channels goes into .reconcile/local.yaml as `conda_alias`, or RECONCILE_CONDA_ALIAS"
	case strings.Contains(said, "InvalidMatchSpec"):
		p.Summary = "py-rattler does not take what is asked of conda: " + strings.Join(r.Conda.Specs, ", ")
		p.Hint = "write each version and build in `conda_packages` as the channel names it"
	default:
		return fmt.Errorf("solve %s for %s with py-rattler: %w\n%s", r.Path, platform, err, said)
	}
	return p
}

// constraints hold the distributions that conda brings to the versions it brings.
func constraints(provided map[string]string) string {
	var lines []string
	for name, version := range provided {
		lines = append(lines, requirement(name, nil, version, ""))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// withoutProvided leaves out the distributions that conda brings: nothing is
// installed twice, and pip never replaces what conda put there.
func withoutProvided(packages []Package, provided map[string]string) []Package {
	return slices.DeleteFunc(packages, func(p Package) bool { return provided[pep.Normalize(p.Name)] != "" })
}
