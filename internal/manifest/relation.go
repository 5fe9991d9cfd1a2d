package manifest

// The functions of this file return members of a schema for relations between keys.

// exactlyOne requires one of two keys.
func exactlyOne(a, b string) member {
	return member{"oneOf", []members{{requires(a)}, {requires(b)}}}
}

// needs requires key b if key a is present.
func needs(a, b string) member { return member{"dependencies", members{{a, []string{b}}}} }

// ifEqual applies members if a key has a value.
func ifEqual(key, word string, then ...member) members {
	return members{
		{"if", members{{"properties", members{{key, members{{"const", word}}}}}, requires(key)}},
		{"then", members(then)},
	}
}

// ifAbsent applies members if a key is absent.
func ifAbsent(key string, then ...member) members {
	return members{{"if", members{{"not", members{requires(key)}}}}, {"then", members(then)}}
}

func requires(keys ...string) member { return member{"required", keys} }

func forbids(keys ...string) member {
	var none members
	for _, key := range keys {
		none = append(none, member{key, false})
	}
	return member{"properties", none}
}

// allOf joins members with equal names.
func allOf(of ...members) member { return member{"allOf", of} }

// modelsNeedTheirDirectory requires the models directory if there are models.
func modelsNeedTheirDirectory() member {
	some := members{{"properties", members{{"models", members{{"type", "array"}, {"minItems", 1}}}}}, requires("models")}
	return allOf(members{{"if", some}, {"then", members{
		requires("directories"),
		{"properties", members{{"directories", members{requires(ModelsDirectory)}}}},
	}}})
}
