# Reads MIB modules; prints "NAME OID" for each object and notification and
# "NAME.label NUMBER" for each name of an enumeration, also of one that a textual
# convention gives. Enough of SMIv2 for our module; smilint judges the module.
#
# check-xen.sh takes its numbers from the text that managers read, not from the
# agent's code, so that the two must agree.

BEGIN {
	oid["enterprises"] = "1.3.6.1.4.1"
	oid["mib-2"] = "1.3.6.1.2.1"
}

{
	line = quoted ? "\"" $0 : $0
	quoted = 0
	gsub(/"[^"]*"/, " ", line)
	if ((at = index(line, "\"")) > 0) {
		line = substr(line, 1, at - 1)
		quoted = 1
	}
	sub(/--.*/, "", line)
	gsub(/[{}(),;]|::=/, " & ", line)
	words = split(line, word, " ")
	for (w = 1; w <= words; w++)
		token[++tokens] = word[w]
}

END {
	for (t = 1; t <= tokens; t++) {
		if (token[t] ~ /^(OBJECT-(TYPE|IDENTITY|GROUP)|MODULE-(IDENTITY|COMPLIANCE)|NOTIFICATION-(TYPE|GROUP))$/)
			name = token[t - 1]
		else if (token[t] == "OBJECT" && token[t + 1] == "IDENTIFIER" && token[t + 2] == "::=")
			name = token[t - 1]
		else if (token[t] == "TEXTUAL-CONVENTION")
			name = token[t - 2]
		else if (token[t] == "SYNTAX")
			t = syntax(t)
		else if (token[t] == "::=" && token[t + 1] == "{")
			t = place(t)
	}
	for (n in parent)
		if ((o = path(n)) != "")
			print n, o
	for (n in type)
		for (e in label) {
			split(e, part, SUBSEP)
			if (part[1] == type[n])
				print n "." part[2], label[e]
		}
}

# The SYNTAX clause that starts at t; returns its last token.
function syntax(t) {
	type[name] = token[t + 1]
	if (token[t + 2] != "{")
		return t + 1
	type[name] = name
	for (t += 3; token[t] != "}"; t++)
		if (token[t + 1] == "(")
			label[name, token[t]] = token[t + 2]
	return t
}

# The assignment that starts at t, { parent 3 } or { parent name(3) 4 }; returns its
# last token.
function place(t) {
	parent[name] = token[t + 2]
	number[name] = ""
	for (t += 3; token[t] != "}"; t++)
		if (token[t] ~ /^[0-9]+$/)
			number[name] = number[name] "." token[t]
	return t
}

function path(n,    above) {
	if (n in oid)
		return oid[n]
	if (!(n in parent))
		return ""
	above = path(parent[n])
	return above == "" ? "" : above number[n]
}
