package osv

import (
	"strings"

	gocvss20 "github.com/pandatix/go-cvss/20"
	gocvss30 "github.com/pandatix/go-cvss/30"
	gocvss31 "github.com/pandatix/go-cvss/31"
	gocvss40 "github.com/pandatix/go-cvss/40"

	"github.com/reconcile-ml/reconcile/internal/pep"
)

// A Severity is a severity in the words of GitHub.
type Severity int

// The severities in order.
const (
	Unknown Severity = iota
	Low
	Moderate
	High
	Critical
)

// String returns the word, "" for Unknown.
func (s Severity) String() string {
	return [...]string{"", "low", "moderate", "high", "critical"}[s]
}

// parseSeverity returns the severity of a word.
func parseSeverity(word string) Severity {
	switch strings.ToUpper(word) {
	case "LOW":
		return Low
	case "MODERATE", "MEDIUM":
		return Moderate
	case "HIGH":
		return High
	case "CRITICAL":
		return Critical
	}
	return Unknown
}

// severity returns the highest severity that a record gives for a package: in words, or by the
// base score of a CVSS vector. Malicious packages are critical.
func (r *Record) severity(name string) Severity {
	highest := parseSeverity(r.Specific.Severity)
	if strings.HasPrefix(r.ID, "MAL-") {
		highest = Critical
	}
	scores := r.Severity
	for i := range r.Affected {
		if of, ok := r.Affected[i].Package.pypi(); ok && of == pep.Normalize(name) {
			scores = append(scores[:len(scores):len(scores)], r.Affected[i].Severity...)
		}
	}
	for _, s := range scores {
		highest = max(highest, s.severity())
	}
	return highest
}

// severity returns the severity of a vector, by the scale of CVSS 3 and 4.
func (s Score) severity() Severity {
	score, ok := baseScore(s.Score)
	switch {
	case !ok || score <= 0:
		return Unknown
	case score < 4:
		return Low
	case score < 7:
		return Moderate
	case score < 9:
		return High
	}
	return Critical
}

// baseScore returns the score of a CVSS vector.
func baseScore(vector string) (score float64, ok bool) {
	switch {
	case strings.HasPrefix(vector, "CVSS:4.0/"):
		if v, err := gocvss40.ParseVector(vector); err == nil {
			return v.Score(), true
		}
	case strings.HasPrefix(vector, "CVSS:3.1/"):
		if v, err := gocvss31.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	case strings.HasPrefix(vector, "CVSS:3.0/"):
		if v, err := gocvss30.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	case !strings.HasPrefix(vector, "CVSS:"):
		if v, err := gocvss20.ParseVector(vector); err == nil {
			return v.BaseScore(), true
		}
	}
	return 0, false
}
