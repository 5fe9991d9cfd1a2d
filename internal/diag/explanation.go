package diag

// An Explanation says what a code stands for, whatever the problem at hand: sentences
// for people, with commands to type between backticks.
type Explanation struct {
	Means string `json:"means"` // what is wrong
	Do    string `json:"do"`    // what to do about it
}

// Explanations are those of the codes that one package reports.
type Explanations map[string]Explanation
