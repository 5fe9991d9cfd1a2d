package compat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reconcile-ml/reconcile/internal/catalog"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/lock"
	"github.com/reconcile-ml/reconcile/internal/nvidia"
	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A remedy is a set of versions that uses the GPUs of a machine.
type remedy struct {
	torch        string // "2.10.0", or of PyTorch's own index the minor version: "2.14"
	cuda         string // that it is built for
	own          bool   // torch is in PyTorch's own index alone
	limited      bool   // the driver supports it with limits
	bitsandbytes string // "" if the locked one has a library for cuda, or none is locked
}

// remedies returns the newest torch on the public index that uses the GPUs of a machine. One that
// the driver supports without limits is preferred, unless it is older than the locked torch. If
// the public index has none or only older ones, PyTorch's own index may have a newer one. They are
// none if the GPUs are not known.
func (c *comparison) remedies(m catalog.TorchMachine) (list []remedy) {
	if len(m.Compute) == 0 || c.torch == "" {
		return nil
	}
	locked := strings.SplitN(c.torch, "+", 2)[0]
	isOlder := func(torch string, ok bool) bool {
		order, valid := catalog.Compare(torch, locked)
		return !ok || valid && order < 0
	}
	m.Full = true
	b, ok := catalog.NewestTorch(m)
	own, found := catalog.NewestPyTorch(m)
	m.Full = false
	if isOlder(b.Torch, ok) {
		b, ok = catalog.NewestTorch(m)
	}
	if isOlder(own.Torch, found) {
		own, found = catalog.NewestPyTorch(m)
	}
	if ok {
		_, full := catalog.Runs(m.CUDA, b.CUDA)
		list = c.addRemedy(list, remedy{torch: b.Torch, cuda: b.CUDA, limited: !full && m.CUDA != ""})
	}
	order, _ := catalog.Compare(own.Torch, pep.MajorMinor(b.Torch))
	if found && isOlder(b.Torch, ok) && (!ok || order > 0) {
		list = c.addRemedy(list, remedy{torch: own.Torch, cuda: own.CUDA, own: true})
	}
	return list
}

// addRemedy adds a torch, with a bitsandbytes that has a library for it if one is locked that has
// none.
func (c *comparison) addRemedy(list []remedy, r remedy) []remedy {
	if version := c.spec.version("bitsandbytes"); version != "" {
		b, ok := c.wheel(version)
		if !ok || b.Library(r.cuda) == "" {
			r.bitsandbytes = c.withLibrary(r.cuda)
			if r.bitsandbytes == "" {
				return list
			}
		}
	}
	return append(list, r)
}

// wheel returns the wheel of a bitsandbytes for this machine, false if it is not known.
func (c *comparison) wheel(version string) (catalog.BitsandbytesBuild, bool) {
	for _, b := range catalog.BitsandbytesBuilds() {
		if b.Platform == c.host.Platform && b.Version == version {
			return b, true
		}
	}
	return catalog.BitsandbytesBuild{}, false
}

// withLibrary returns the newest bitsandbytes with a library for a CUDA, "" if there is none.
func (c *comparison) withLibrary(cuda string) string {
	for _, b := range slices.Backward(catalog.BitsandbytesBuilds()) {
		if b.Platform == c.host.Platform && b.Library(cuda) != "" {
			return b.Version
		}
	}
	return ""
}

// text returns the hint for a remedy: "pin torch 2.10.0 for CUDA 12.8, the newest on the public
// index that runs here without limits: `reconcile add --env remote torch==2.10.0`".
func (c *comparison) text(r remedy) string {
	with := ""
	if r.bitsandbytes != "" {
		with = " with bitsandbytes " + r.bitsandbytes
	}
	if r.own {
		build := catalog.BuildName(r.cuda)
		text := fmt.Sprintf("use torch %s for CUDA %s%s from PyTorch's own index", r.torch, r.cuda, with)
		if !c.spec.ByCommand {
			return fmt.Sprintf("%s, https://HOST/whl/%s %s, and lock again", text, build, lock.PyTorchHost)
		}
		text += ": " + lock.PyTorchIndex{Build: build}.Declaration() + ", then " + strings.TrimPrefix(c.command("--index pytorch-"+build, fmt.Sprintf("'torch==%s.*'", r.torch)), ": ")
		if r.bitsandbytes != "" {
			text += " and " + strings.TrimPrefix(c.command("bitsandbytes=="+r.bitsandbytes), ": ")
		}
		return text
	}
	packages := []string{"torch==" + r.torch}
	if r.bitsandbytes != "" {
		packages = append(packages, "bitsandbytes=="+r.bitsandbytes)
	}
	limits := "without limits"
	if r.limited {
		limits = "with limits"
	}
	return fmt.Sprintf("pin torch %s for CUDA %s%s, the newest on the public index that runs here %s%s", r.torch, r.cuda, with, limits, c.command(packages...))
}

// command returns the command that adds packages: ": `reconcile add --env remote torch==2.10.0`".
// Pins that exclude another torch are removed first. Without a command it is the lock that is left
// to do.
func (c *comparison) command(args ...string) string {
	if !c.spec.ByCommand {
		return ", and lock again"
	}
	add := fmt.Sprintf("`reconcile add --env %s %s`", c.spec.Environment, strings.Join(args, " "))
	isTorch := func(arg string) bool { return strings.HasPrefix(strings.Trim(arg, "'"), "torch==") }
	if len(c.spec.Pins) > 0 && slices.ContainsFunc(args, isTorch) {
		return fmt.Sprintf(": `reconcile remove --env %s %s` (pinned for this torch), then %s", c.spec.Environment, strings.Join(c.spec.Pins, " "), add)
	}
	return ": " + add
}

// pins returns the texts of remedies.
func (c *comparison) pins(list []remedy) (hints []string) {
	for _, r := range list {
		hints = append(hints, c.text(r))
	}
	return hints
}

// ways returns the texts of the remedies for this machine, after the hint for a newer driver if the
// public index has no torch for this one.
func (c *comparison) ways() (hints []string) {
	list := c.remedies(c.machine())
	if !slices.ContainsFunc(list, func(r remedy) bool { return !r.own }) {
		hints = c.pinsWithDriver()
	}
	return append(hints, c.pins(list)...)
}

// pinsWithDriver returns the hint for the newest torch on the public index that runs with a newer
// driver.
func (c *comparison) pinsWithDriver() []string {
	if c.n.State != facts.DriverOK || c.n.CUDA == "" {
		return nil
	}
	m := c.machine()
	m.CUDA = ""
	for _, r := range c.remedies(m) {
		if update := c.update(catalog.MajorDriver(r.cuda)); !r.own && update != "" {
			return []string{update + ", and " + c.text(r)}
		}
	}
	return nil
}

// updateVerb returns who has to update the driver: "update the driver".
func (c *comparison) updateVerb() string {
	if c.host.Container != "" && c.host.Container != "wsl" {
		return "update the driver of the host that runs this container"
	}
	return "update the driver"
}

// update returns the hint for a newer driver; least is its oldest version, "" if unknown. It
// returns "" if drivers of that version have dropped one of the GPUs.
func (c *comparison) update(least string) string {
	if least == "" {
		return c.updateVerb() + " to one that supports CUDA " + c.built
	}
	if versions := nvidia.NewerDriver(c.n, least); versions != "" {
		return fmt.Sprintf("%s to %s", c.updateVerb(), versions)
	}
	return ""
}

// withoutLimits returns the hint for a driver with full support of the CUDA of torch.
func (c *comparison) withoutLimits() string {
	if hint := c.update(catalog.Driver(c.built)); hint != "" {
		return hint + ", which has no such limits"
	}
	return "use a newer GPU: the drivers with full support of CUDA " + c.built + " no longer support this one"
}

// join returns a hint of alternatives.
func join(hints ...string) string {
	hints = slices.DeleteFunc(hints, func(h string) bool { return h == "" })
	return strings.Join(hints, "; or ")
}
