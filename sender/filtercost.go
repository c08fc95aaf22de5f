package sender

import (
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// likelyFilterSize is how long the texts and lists of an event are taken to be
// when a filter's cost is judged before there is an event: as long as allows
// two of all, exists, exists_one and filter in each other.
const likelyFilterSize = 32

// filterCosts tell the CEL library what it cannot know of the cost of a filter.
type filterCosts struct{}

// EstimateSize is how large a part of an event probably is.
func (filterCosts) EstimateSize(checker.AstNode) *checker.SizeEstimate {
	return &checker.SizeEstimate{Min: 0, Max: likelyFilterSize}
}

// EstimateCallCost leaves the costs of functions to the library.
func (filterCosts) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// longFilterText is from how many bytes on it is counted what a text costs where
// the library takes that for nothing.
const longFilterText = 1000

// CallCost is the cost of a call that has been made, where the library counts
// too little: comparisons may have gone through everything in two values, of
// which it counts the outermost members, and it counts neither the time to find
// out how long a text is nor the time to say what is wrong with one.
func (filterCosts) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	switch function {
	case overloads.Matches, overloads.Contains, operators.Add,
		"indexOf", "lastIndexOf", "charAt", "substring", "trim", "lowerAscii", "upperAscii", "reverse":
		return nil // counted by the library
	}
	var cost uint64
	if len(args) == 2 && isAggregate(args[0]) && isAggregate(args[1]) {
		switch function {
		case operators.Equals, operators.NotEquals:
			var other uint64
			weigh(args[0], &cost)
			weigh(args[1], &other)
			cost = min(cost, other)
			return &cost
		case operators.In:
			weigh(args[1], &cost)
			return &cost
		}
	}
	for _, v := range args {
		if text, ok := v.(types.String); ok && len(text) >= longFilterText {
			cost += uint64(len(text)) / 250
		}
	}
	if cost == 0 {
		return nil
	}
	if function == operators.In {
		weigh(args[1], &cost)
	}
	return &cost
}

func isAggregate(v ref.Val) bool {
	switch v.Type() {
	case types.ListType, types.MapType:
		return true
	}
	return false
}

// weigh adds the number of values within a value, counting no further than
// the limit.
func weigh(v ref.Val, cost *uint64) {
	*cost++
	if *cost > maxFilterCost {
		return
	}
	switch v := v.(type) {
	case types.String:
		*cost += uint64(len(v)) / 10
	case traits.Lister:
		for it := v.Iterator(); it.HasNext() == types.True && *cost <= maxFilterCost; {
			weigh(it.Next(), cost)
		}
	case traits.Mapper:
		for it := v.Iterator(); it.HasNext() == types.True && *cost <= maxFilterCost; {
			weigh(v.Get(it.Next()), cost)
		}
	}
}
