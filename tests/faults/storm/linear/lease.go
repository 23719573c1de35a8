// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
)

// Phases of a lease as its clients see them. An answer names one; "" if it names none.
const (
	absent  = "absent"
	live    = "live"    // provisioning or active
	over    = "over"    // ended by itself: expired or failed
	deleted = "deleted" // released; what it had is or will be deleted
	kept    = "kept"    // released without deleting
)

// One request of a client and what it learned from the answer, as the storm writes it.
type record struct {
	Lease  string `json:"lease"`
	Era    int    `json:"era"` // raised by each restore: what is stored then is another past
	Client int    `json:"client"`
	Kind   string `json:"kind"`
	Call   int64  `json:"call"`
	Return int64  `json:"return"` // 0: no answer, or one that does not say what happened
	Status int    `json:"status"`
	Phase  string `json:"phase"`
	Epoch  int64  `json:"epoch"`   // 0: the answer does not say
	Touch  int64  `json:"touched"` // when the last heartbeat was; 0: the answer does not say
	Server int64  `json:"server"`  // of the lease; 0: it has none, or the answer does not say

	half int // of a request that was divided: its effect, or its answer
	mark string
}

const (
	whole = iota
	effect
	reply
)

// What is known of a lease between two requests.
type lease struct {
	phase string
	epoch int64
	touch int64
	done  string // the marks of divided requests whose effect has been
}

// An answer says how things are when it is given. If its request has waited, for a machine or for
// the end of a cleanup, another one may have changed the lease since: then the effect is one
// event, and the answer a later one.
func divide(r record, number int) []record {
	late := r.Kind == "create" && (r.Phase == deleted || r.Phase == kept) ||
		r.Kind == "delete" && r.Phase != deleted || r.Kind == "keep" && r.Phase == deleted
	if r.Return == 0 || r.Status/100 != 2 || !late {
		return []record{r}
	}
	first, second := r, r
	first.half, second.half = effect, reply
	first.mark = fmt.Sprintf("<%d>", number)
	second.mark, second.Kind = first.mark, "read"
	return []record{first, second}
}

// The states in which a lease may be after this request, in the order of linearization. None:
// the answer cannot be true.
func step(was lease, r record) []lease {
	if r.Return == 0 {
		return unknown(was, r)
	}
	if r.half == effect {
		return done(was, r)
	}
	if r.half == reply && !strings.Contains(was.done, r.mark) {
		return nil
	}
	next := lease{r.Phase, max(was.epoch, r.Epoch), max(was.touch, r.Touch), was.done}
	if r.Epoch != 0 && r.Epoch < was.epoch {
		return nil
	}
	switch {
	case r.Status/100 == 2:
		if !follows(was, next, r) {
			return nil
		}
		return []lease{next}
	case r.Status == 404:
		return when(was.phase == absent, was)
	}
	return refused(was, r)
}

// Is the answer to a request that succeeded possible?
func follows(was, next lease, r record) bool {
	changed := r.Epoch == 0 || r.Epoch > was.epoch
	// A heartbeat that was acknowledged is never forgotten.
	if next.phase == live && r.Touch != 0 && r.Touch < was.touch {
		return false
	}
	switch r.Kind {
	case "create":
		return was.phase == absent || byItself(was.phase, next.phase, r)
	case "read":
		return was.phase != absent && byItself(was.phase, next.phase, r)
	case "beat":
		return was.phase == live && next.phase == live
	case "delete":
		return next.phase == deleted && was.phase != absent &&
			(was.phase == deleted || was.phase == over || changed || byItself(was.phase, deleted, r))
	case "keep":
		switch next.phase {
		case kept:
			return was.phase != absent && (was.phase != live || changed)
		case deleted, over:
			// Nothing is left to be kept.
			return was.phase == deleted || was.phase == over || was.phase == live
		}
	}
	return false
}

// Does a lease go from one phase to the other without a request? After a restore the machine may
// bear the mark of a release without delete that the older store does not know: it is kept then.
// And what is kept may turn out to be nothing at all.
func byItself(from, to string, r record) bool {
	return from == to || from == live && to == over || r.Era > 0 && from == deleted && to == kept ||
		from == kept && to == deleted && r.Server == 0
}

func refused(was lease, r record) []lease {
	switch r.Kind {
	case "create":
		// At a limit, or the provider refused it: then it may be a lease that has failed.
		if was.phase == absent {
			return []lease{was, was.in(over)}
		}
		return ended(was)
	case "beat":
		// 409: the lease has ended.
		if r.Status != 409 {
			return []lease{was}
		}
		if was.phase == absent {
			return nil
		}
		return ended(was)
	case "keep":
		// 409: something of it is being deleted, which a lease that is kept excludes.
		return when(was.phase != absent && (r.Status != 409 || was.phase != kept), was)
	case "delete", "read":
		return when(was.phase != absent, was)
	}
	return nil
}

// The effect of a request that succeeded, whose answer is another event.
func done(was lease, r record) []lease {
	all := unknown(was, r)
	if r.Kind == "delete" {
		all = all[1:] // it was done
	}
	if r.Kind == "keep" && r.Phase == deleted && r.Server == 0 &&
		(was.phase == live || was.phase == kept) {
		all = append(all, was.in(deleted)) // there was no machine yet that could be kept
	}
	for n := range all {
		all[n].done += r.mark
	}
	return all
}

func (l lease) in(phase string) lease {
	l.phase = phase
	return l
}

// The answer proves that the lease is not live.
func ended(was lease) []lease {
	if was.phase == live {
		was.phase = over
	}
	return []lease{was}
}

// Without an answer a request may have been done, or may never be.
func unknown(was lease, r record) []lease {
	both := []lease{was}
	switch r.Kind {
	case "create":
		if was.phase == absent {
			both = append(both, was.in(live), was.in(over))
		}
	case "delete":
		if was.phase != absent {
			both = append(both, was.in(deleted))
		}
	case "keep":
		if was.phase != absent {
			both = append(both, was.in(kept))
		}
	}
	return both
}

func when(ok bool, was lease) []lease {
	if ok {
		return []lease{was}
	}
	return nil
}

func max(a, b int64) int64 {
	if a > b {
		return a
	}
	return b
}

// The model of one lease from the beginning, or from a restore on.
func model(era int) porcupine.Model {
	var first []interface{}
	first = append(first, lease{phase: absent})
	if era > 0 {
		for _, phase := range []string{live, over, deleted, kept} {
			first = append(first, lease{phase: phase})
		}
	}
	nondeterministic := porcupine.NondeterministicModel{
		Equal: func(a, b interface{}) bool { return a == b },
		Init:  func() []interface{} { return first },
		Step: func(state, input, output interface{}) []interface{} {
			var all []interface{}
			for _, next := range step(state.(lease), output.(record)) {
				all = append(all, next)
			}
			return all
		},
	}
	return nondeterministic.ToModel()
}
