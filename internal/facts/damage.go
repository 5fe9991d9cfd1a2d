package facts

import "cmp"

// Subject names what is damaged, as a person would look for it: the path, the
// distribution, or the place of the whole generation.
func (d Damage) Subject() string {
	switch {
	case d.What == "moved":
		return "place"
	case d.What == "package" && (d.Dist != "" || d.Conda != ""):
		return cmp.Or(d.Dist, d.Conda)
	case d.Path != "":
		return d.Path
	case d.Dist != "" || d.Conda != "":
		return cmp.Or(d.Dist, d.Conda)
	}
	return "generation"
}

// Description says what is wrong with it.
func (d Damage) Description() string {
	switch d.What {
	case "foreign":
		return "not installed by reconcile"
	case "doubled":
		return "belongs to two packages, with different contents"
	case "interpreter":
		return "leads to no interpreter"
	case "package":
		if d.Version == "" || d.Sealed == "" || d.Version == d.Sealed {
			return "a package that was changed by hand"
		}
		return d.Version + " installed instead of " + d.Sealed
	case "moved":
		return "the project was moved or copied from another place"
	case "seal":
		return "the record of what was installed cannot be read"
	}
	return d.What // "missing", "changed"
}
