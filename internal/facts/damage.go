package facts

import "cmp"

// Subject returns the damaged path, distribution or package, "location" for a moved
// environment, or "generation" if none is known.
func (d Damage) Subject() string {
	dist := cmp.Or(d.Dist, d.Conda)
	switch {
	case d.What == "moved":
		return "location"
	case d.What == "package" && dist != "":
		return dist
	}
	return cmp.Or(d.Path, dist, "generation")
}

// Description returns a phrase that follows the Subject and a colon.
func (d Damage) Description() string {
	switch d.What {
	case "foreign":
		return "not installed by reconcile"
	case "doubled":
		return "two packages contain it with different contents"
	case "interpreter":
		return "interpreter not found"
	case "package":
		if d.Version == "" || d.Sealed == "" || d.Version == d.Sealed {
			return "package was changed by hand"
		}
		return d.Version + " installed instead of " + d.Sealed
	case "moved":
		return "the project was moved or copied from another location"
	case "seal":
		return "the seal is damaged"
	}
	return d.What // "missing", "changed"
}
