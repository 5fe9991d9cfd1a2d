package diag

// An Explanation describes a problem code in sentences, with commands between backticks.
type Explanation struct {
	Means string `json:"means"` // the cause
	Do    string `json:"do"`    // the remedy
}

// Explanations maps the codes that one package reports to their explanations.
type Explanations map[string]Explanation
