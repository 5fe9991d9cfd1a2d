package manifest

// relations are what the keys of one object have to do with each other, as members
// of its schema.
type relations members

// exactlyOne holds for objects with one of two keys.
func exactlyOne(a, b string) member {
	return member{"oneOf", []members{{{"required", []string{a}}}, {{"required", []string{b}}}}}
}

// needs holds for objects that have the second key where they have the first.
func needs(a, b string) member { return member{"dependencies", members{{a, []string{b}}}} }

// notEmpty holds for objects with a key.
func notEmpty() member { return member{"minProperties", 1} }

// whereIs holds for objects that have members where a key has a word.
func whereIs(key, word string, then ...member) members {
	return members{
		{"if", members{{"properties", members{{key, members{{"const", word}}}}}, {"required", []string{key}}}},
		{"then", members(then)},
	}
}

// having demands keys.
func having(keys ...string) member { return member{"required", keys} }

// without forbids keys.
func without(keys ...string) member {
	var none members
	for _, key := range keys {
		none = append(none, member{key, false})
	}
	return member{"properties", none}
}

// all joins relations that would have the same name.
func all(of ...members) member { return member{"allOf", of} }

// modelsNeedTheirDirectory holds for manifests that say where their models lie.
func modelsNeedTheirDirectory() member {
	some := members{{"properties", members{{"models", members{{"type", "array"}, {"minItems", 1}}}}}, {"required", []string{"models"}}}
	return all(members{{"if", some}, {"then", members{
		{"required", []string{"directories"}},
		{"properties", members{{"directories", members{{"required", []string{ModelsDirectory}}}}}},
	}}})
}
