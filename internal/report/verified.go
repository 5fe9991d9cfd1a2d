package report

import (
	"fmt"
	"io"
	"time"

	"github.com/reconcile-ml/reconcile/internal/bytesize"
	"github.com/reconcile-ml/reconcile/internal/facts"
	"github.com/reconcile-ml/reconcile/internal/plural"
	"github.com/reconcile-ml/reconcile/pkg/resources/model"
)

// Verified is the result of a verification of models.
type Verified struct {
	Cache  string        // their folder, as in facts
	Models []facts.Model // with a fault for every file that could not be verified
	Hashed int64         // bytes; the digests of the others were in the cache
	Took   time.Duration
}

// Intact returns the number of complete and verified models.
func (v *Verified) Intact() int {
	n := 0
	for i := range v.Models {
		if v.Models[i].IsVerified() {
			n++
		}
	}
	return n
}

// ModelsVerified prints the result for each model with its faults and remedies, and last
// a line for all.
func ModelsVerified(w io.Writer, v *Verified, o Options) error {
	p := newPage(w, o)
	for i := range v.Models {
		p.verifiedModel(&v.Models[i])
	}
	if len(v.Models) > 0 {
		p.blank()
	}
	c := green
	if v.Intact() < len(v.Models) {
		c = red
	}
	p.last(c, verdict(v), hashedText(v))
	return p.close()
}

func (p *page) verifiedModel(m *facts.Model) {
	name := fmt.Sprintf("%s at %.12s: ", m.Repo, m.Revision)
	if m.IsVerified() {
		text := fmt.Sprintf("intact, %s in %s", bytesize.Format(m.Size()), plural.Count(len(m.Files), "file"))
		if m.Weights == "bin" {
			text += "; its weights are pickles (.bin), which run code when they are loaded"
		}
		p.hang(2, green, "ok    ", name+text)
		return
	}
	text := model.Summary(*m)
	if m.State == facts.ModelDamaged {
		text = fmt.Sprintf("damaged; %d of %s verified", m.Verified, plural.Count(len(m.Files), "file"))
	}
	p.hang(2, red, "fail  ", name+text)
	for _, f := range m.Faults {
		p.line(8, "%s", model.FaultText(f))
		p.folded(10, 12, faint, "to fix: ", model.Remedy(*m, f))
	}
	if len(m.Faults) == 0 {
		p.folded(10, 12, faint, "to fix: ", "`reconcile models` prints how to get it")
	}
}

// verdict returns "All 2 models are intact" or "1 of 2 models not intact".
func verdict(v *Verified) string {
	intact, n := v.Intact(), len(v.Models)
	switch {
	case n == 0:
		return "No model to verify"
	case intact == n && n == 1:
		return "The model is intact"
	case n == 1:
		return "The model is not intact"
	case intact == n:
		return fmt.Sprintf("All %s are intact", plural.Count(n, "model"))
	}
	return fmt.Sprintf("%d of %s not intact", n-intact, plural.Count(n, "model"))
}

// hashedText returns the hashed bytes and the duration.
func hashedText(v *Verified) string {
	switch {
	case v.Hashed == 0 && v.Intact() > 0:
		return "; nothing had to be hashed again."
	case v.Hashed == 0:
		return "."
	}
	text := fmt.Sprintf("; %s hashed in %s", bytesize.Format(v.Hashed), duration(v.Took))
	if v.Took >= time.Second {
		text += fmt.Sprintf(", %s/s", bytesize.Format(int64(float64(v.Hashed)/v.Took.Seconds())))
	}
	return text + "."
}

type verifiedJSON struct {
	Repo   string `json:"repo"`
	Intact bool   `json:"intact"`
	facts.Model
	Faults []faultJSON `json:"faults"` // hides Model.Faults
}

type faultJSON struct {
	facts.ModelFault
	Words  string `json:"words"`
	Remedy string `json:"remedy"`
}

// ModelsVerifiedJSON writes the result as one document.
func ModelsVerifiedJSON(w io.Writer, v *Verified) error {
	models := make([]verifiedJSON, len(v.Models))
	for i := range v.Models {
		m := &v.Models[i]
		models[i] = verifiedJSON{Repo: m.Repo, Intact: m.IsVerified(), Model: *m, Faults: []faultJSON{}}
		for _, f := range m.Faults {
			models[i].Faults = append(models[i].Faults, faultJSON{f, f.Description(), model.Remedy(*m, f)})
		}
	}
	return JSON(w, map[string]any{
		"version": Version, "cache": v.Cache, "intact": v.Intact() == len(v.Models),
		"hashed": v.Hashed, "seconds": v.Took.Seconds(), "models": models,
	})
}
