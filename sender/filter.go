package sender

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/parser"
)

const (
	// maxFilterLength is how long a filter may be, in bytes.
	maxFilterLength = 4096

	// maxFilterCost is how much work a filter may be for one event, in CEL's
	// units: one is about a comparison. It allows to go through a list of a few
	// thousand. The time that counting takes grows with the square of it.
	maxFilterCost = 25_000

	// maxFilterNesting is how deep all, exists, exists_one and filter may stand
	// in each other.
	maxFilterNesting = 3

	// maxFilterSums is how many additions a filter may hold. Lists that are
	// added are looked up through each other.
	maxFilterSums = 16

	// maxFilterRegexp is how large the program of a regular expression may be:
	// the time that it takes for a character grows with it.
	maxFilterRegexp = 500
)

// filterExample ends the errors about filters.
const filterExample = `write a condition such as data.priority == "high"`

// filter is an endpoint's condition on events. It is safe for concurrent use.
type filter struct {
	program cel.Program
}

// match tells whether the endpoint gets the event. A filter that cannot be
// worked out for the event, or that is too much work, says no. A nil filter
// says yes.
func (f *filter) match(in *filterInput) bool {
	if f == nil {
		return true
	}
	out, _, err := f.program.Eval(in)
	if err != nil {
		return false
	}
	yes, ok := out.(types.Bool)
	return ok && bool(yes)
}

// compileFilter makes a filter of a CEL expression; nil of an empty one. The
// error says in one sentence what is wrong and where.
func compileFilter(expression string) (*filter, error) {
	if expression == "" {
		return nil, nil
	}
	if len(expression) > maxFilterLength {
		return nil, fmt.Errorf("it has %d bytes, and at most %d are allowed: %s", len(expression), maxFilterLength, filterExample)
	}
	env, err := filterEnv()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		return nil, describeIssues(issues)
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("its result is %s and must be true or false: %s", cel.FormatCELType(t), filterExample)
	}
	if err := checkFilterCalls(checked); err != nil {
		return nil, err
	}
	if cost, err := env.EstimateCost(checked, filterCosts{}); err != nil || cost.Max > maxFilterCost {
		return nil, errors.New("it may be too much work for one event: use fewer of all, exists, exists_one and filter in each other; " + filterExample)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostTracking(filterCosts{}), cel.CostLimit(maxFilterCost))
	if err != nil {
		return nil, fmt.Errorf("it cannot be prepared (%s): %s", oneLine(err.Error()), filterExample)
	}
	return &filter{program: program}, nil
}

// filterEnv is what filters may use: the standard functions but map, most of
// CEL's extensions for strings, and optional values.
var filterEnv = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewCustomEnv(
		cel.StdLib(),
		cel.ClearMacros(), // StdLib brings map, too, which multiplies what it is given
		cel.Macros(cel.HasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.FilterMacro),
		cel.Variable("event", cel.StringType),
		cel.Variable("data", cel.DynType),
		cel.CrossTypeNumericComparisons(true),
		cel.OptionalTypes(cel.OptionalTypesVersion(1)),
		ext.Strings(ext.StringsVersion(5)),
		cel.ParserExpressionSizeLimit(maxFilterLength),
		cel.ParserRecursionLimit(100),
		cel.ParserErrorRecoveryLimit(1),
		cel.ExpressionNodeLimit(4*maxFilterLength),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(),
			cel.ValidateTimestampLiterals(),
			cel.ValidateComprehensionNestingLimit(maxFilterNesting),
		),
	)
})

// growingFunctions make texts or lists that may be far larger than what they
// are given, before anybody has counted the cost.
var growingFunctions = map[string]bool{"replace": true, "format": true, "join": true, "split": true, "strings.quote": true}

// checkFilterCalls refuses what could take much time or memory in a single
// step, which a limit on the cost, counted after each step, comes too late for.
func checkFilterCalls(checked *cel.Ast) error {
	native := checked.NativeRep()
	var first error
	ownLists := make(map[int64]bool) // those that the macro filter makes
	sums := 0
	refuse := func(e ast.Expr, format string, args ...any) {
		if first == nil {
			at := native.SourceInfo().GetStartLocation(e.ID())
			first = fmt.Errorf("at line %d, column %d: %s", at.Line(), at.Column()+1, fmt.Sprintf(format, args...))
		}
	}
	ast.PreOrderVisit(native.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		switch e.Kind() {
		case ast.CallKind:
			call := e.AsCall()
			switch name := call.FunctionName(); {
			case growingFunctions[name]:
				refuse(e, "%s is not available in filters: %s", name, filterExample)
			case name == overloads.Matches:
				if problem := checkPattern(call.Args()); problem != "" {
					refuse(e, "%s, such as data.email.matches(\"@example[.]com$\")", problem)
				}
			case name == operators.Add && isAccumulator(call.Args()[0]):
				ownLists[call.Args()[1].ID()] = true
			case name == operators.Add:
				if sums++; sums > maxFilterSums {
					refuse(e, "there are more than %d additions: %s", maxFilterSums, filterExample)
				}
			}
		case ast.ListKind:
			for _, element := range e.AsList().Elements() {
				if !ownLists[e.ID()] && !isConstant(element) {
					refuse(element, `a list may hold nothing but literals, such as data.status in ["open", "pending"]`)
				}
			}
		case ast.MapKind, ast.StructKind:
			refuse(e, "maps are not available in filters: %s", filterExample)
		}
	}))
	return first
}

// checkPattern says what is wrong with the pattern of a call of matches, if
// anything. The library's own check of the size panics on repetitions such as
// a{2}, which it does not simplify.
func checkPattern(args []ast.Expr) string {
	if len(args) == 0 || args[len(args)-1].Kind() != ast.LiteralKind {
		return "the pattern of matches must be a text that stands in the filter"
	}
	pattern, ok := args[len(args)-1].AsLiteral().(types.String)
	if !ok {
		return "the pattern of matches must be a text"
	}
	parsed, err := syntax.Parse(string(pattern), syntax.Perl)
	if err != nil {
		return "the pattern of matches is no regular expression (" + oneLine(err.Error()) + "): write one of RE2"
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxFilterRegexp {
		return "the pattern of matches is too large: write one that repeats less"
	}
	return ""
}

// isAccumulator tells whether an expression is the result so far of all, exists,
// exists_one or filter, which nobody can write.
func isAccumulator(e ast.Expr) bool {
	return e.Kind() == ast.IdentKind && e.AsIdent() == parser.HiddenAccumulatorName
}

// isConstant tells whether an element of a list is a literal, or a list, which
// is looked at by itself, or a negative number.
func isConstant(e ast.Expr) bool {
	switch e.Kind() {
	case ast.LiteralKind, ast.ListKind:
		return true
	case ast.CallKind:
		call := e.AsCall()
		return call.FunctionName() == operators.Negate && len(call.Args()) == 1 && call.Args()[0].Kind() == ast.LiteralKind
	}
	return false
}

// describeIssues is the first thing that is wrong with an expression, in one
// sentence.
func describeIssues(issues *cel.Issues) error {
	all := issues.Errors()
	if len(all) == 0 {
		return fmt.Errorf("it is no expression (%s): %s", oneLine(issues.Err().Error()), filterExample)
	}
	what := oneLine(strings.ReplaceAll(all[0].Message, " (in container '')", ""))
	if rest, ok := strings.CutPrefix(what, "Syntax error: "); ok {
		what = "syntax error, " + rest
	} else if name, ok := strings.CutPrefix(what, "undeclared reference to "); ok {
		what = name + " is unknown (there are event and data)"
	} else if strings.Contains(what, "recursion") {
		what = "it is nested too deeply"
	}
	at := all[0].Location
	if at.Line() < 1 {
		return fmt.Errorf("%s: %s", what, filterExample)
	}
	return fmt.Errorf("at line %d, column %d: %s: %s", at.Line(), at.Column()+1, what, filterExample)
}

// oneLine makes a message of the CEL library short and of one line.
func oneLine(s string) string {
	const longest = 200
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}
