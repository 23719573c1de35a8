// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Requests one after the other, but for those whose times say otherwise.
func history(records ...record) string {
	var text bytes.Buffer
	for n, r := range records {
		r.Lease = "cbx_1"
		if r.Call == 0 {
			r.Call = int64(10*n + 10)
		}
		if r.Return == 0 && r.Status != 0 {
			r.Return = r.Call + 5
		}
		line, _ := json.Marshal(r)
		text.Write(append(line, '\n'))
	}
	return text.String()
}

func create(epoch int64) record {
	return record{Kind: "create", Status: 201, Phase: live, Epoch: epoch}
}

func answer(kind string, phase string, epoch int64) record {
	return record{Kind: kind, Status: 200, Phase: phase, Epoch: epoch}
}

func refusal(kind string, status int) record {
	return record{Kind: kind, Status: status}
}

func beat(touched int64) record {
	return record{Kind: "beat", Status: 200, Phase: live, Epoch: 1, Touch: touched}
}

func lost(kind string) record {
	return record{Kind: kind}
}

func at(call, end int64, r record) record {
	r.Call, r.Return = call, end
	return r
}

func era(n int, r record) record {
	r.Era = n
	return r
}

var right = map[string][]record{
	"a life": {create(1), beat(5), answer("read", live, 1), answer("delete", deleted, 2),
		answer("read", deleted, 2), answer("delete", deleted, 2)},
	"kept, then deleted": {create(1), answer("keep", kept, 2), answer("read", kept, 2),
		answer("keep", kept, 2), answer("delete", deleted, 3), answer("read", deleted, 3)},
	"owed, then kept after all": {create(1), answer("delete", deleted, 2), answer("keep", kept, 3)},
	"nothing left to keep":      {create(1), answer("delete", deleted, 2), answer("keep", deleted, 2)},
	"nothing to keep yet":       {create(1), answer("keep", deleted, 2), answer("read", deleted, 2)},
	"kept, and nothing was there": {create(1), answer("keep", kept, 2), answer("read", deleted, 2),
		answer("keep", deleted, 2), answer("delete", deleted, 2)},
	"being deleted":             {create(1), answer("delete", deleted, 2), refusal("keep", 409)},
	"it expires":                {create(1), refusal("beat", 409), answer("read", over, 2)},
	"refused at a limit":        {refusal("create", 429), refusal("read", 404), create(1)},
	"a refused create failed":   {refusal("create", 422), answer("read", over, 2)},
	"a lost create that was":    {lost("create"), refusal("read", 404), answer("read", live, 1)},
	"a lost create that wasn't": {lost("create"), refusal("read", 404), create(1)},
	"a lost delete, late":       {create(1), lost("delete"), answer("read", live, 1), answer("read", deleted, 2)},
	"a lost keep that was":      {create(1), lost("keep"), answer("read", kept, 2)},
	"the same create again":     {create(1), create(1)},
	"a race of two": {create(1), at(20, 50, answer("delete", deleted, 2)), at(25, 45, answer("keep", kept, 3)),
		answer("read", kept, 3)},
	"a delete that waits": {create(1), at(20, 60, answer("delete", kept, 3)),
		at(25, 45, answer("keep", kept, 3)), answer("read", kept, 3)},
	"a keep that waits": {create(1), answer("keep", kept, 2), at(30, 60, answer("keep", deleted, 3)),
		at(35, 45, answer("delete", deleted, 3)), at(70, 75, answer("read", deleted, 3))},
	"a create that waits": {at(10, 40, answer("create", deleted, 2)),
		at(15, 35, answer("delete", deleted, 2)), answer("read", deleted, 2)},
	"a mark that the older store does not know": {era(1, answer("read", live, 1)),
		era(1, answer("delete", kept, 2)), era(1, answer("delete", deleted, 3))},
	"a read beside a delete": {create(1), at(20, 50, answer("delete", deleted, 2)),
		at(25, 45, answer("read", live, 1))},
	"heartbeats beside each other": {create(1), at(20, 50, beat(7)), at(25, 55, beat(6)), beat(8)},
	"a restore":                    {create(1), answer("delete", deleted, 2), era(1, answer("read", live, 1))},
}

var wrong = map[string][]record{
	"a delete is forgotten": {create(1), answer("delete", deleted, 2), answer("read", live, 1)},
	"a keep is forgotten":   {create(1), answer("keep", kept, 2), answer("read", live, 2)},
	"a machine is not kept": {create(1), record{Kind: "keep", Status: 200, Phase: deleted, Epoch: 2,
		Server: 5}, answer("read", deleted, 2)},
	"kept is deleted by itself": {create(1), answer("keep", kept, 2), record{Kind: "read", Status: 200,
		Phase: deleted, Epoch: 2, Server: 5}},
	"an old epoch":                {create(1), answer("keep", kept, 3), answer("read", kept, 2)},
	"a change without a new one":  {create(2), answer("delete", deleted, 2)},
	"a lease is gone":             {create(1), refusal("read", 404)},
	"alive again":                 {create(1), refusal("beat", 409), beat(7)},
	"a beat of what was released": {create(1), answer("delete", deleted, 2), beat(9)},
	"a heartbeat is forgotten":    {create(1), beat(9), record{Kind: "read", Status: 200, Phase: live, Epoch: 1, Touch: 4}},
	"a lease nobody made":         {answer("read", live, 1)},
	"a lost create twice":         {lost("create"), answer("read", live, 1), refusal("read", 404)},
	"a lost delete undone": {create(1), lost("delete"), answer("read", deleted, 2),
		answer("read", live, 2)},
	"a stale read by another": {create(1), at(20, 30, answer("delete", deleted, 2)),
		at(31, 45, answer("read", live, 1))},
	"a delete that keeps": {create(1), answer("delete", kept, 2)},
	"a delete of what is kept": {create(1), answer("keep", kept, 2), answer("delete", kept, 2),
		answer("read", deleted, 3)},
	"a delete that waits for nobody": {create(1), at(20, 60, answer("delete", kept, 3)),
		at(65, 70, answer("keep", kept, 3))},
	"a keep that deletes":      {create(1), answer("keep", deleted, 2), answer("read", live, 2)},
	"kept says it is deleted":  {create(1), answer("keep", kept, 2), refusal("keep", 409)},
	"created over a kept one":  {create(1), answer("keep", kept, 2), create(3)},
	"a restore, then a change": {era(1, answer("read", kept, 2)), era(1, answer("read", live, 2))},
}

func TestRight(t *testing.T) {
	for name, records := range right {
		var out strings.Builder
		if run(strings.NewReader(history(records...)), &out, time.Minute) != 0 {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

func TestWrong(t *testing.T) {
	for name, records := range wrong {
		var out strings.Builder
		if run(strings.NewReader(history(records...)), &out, time.Minute) != 1 {
			t.Errorf("not noticed: %s: %s", name, out.String())
		}
		if !strings.Contains(out.String(), "no order explains") {
			t.Errorf("%s: not explained: %s", name, out.String())
		}
	}
}

// Each violation is still found among many requests of an undisturbed lease.
func TestBuried(t *testing.T) {
	for name, records := range wrong {
		all := []record{}
		for n := range records {
			all = append(all, records[n])
		}
		text := history(all...)
		for n := 0; n < 500; n++ {
			other := answer("read", live, 1)
			other.Lease, other.Call, other.Return = "cbx_2", int64(20+n), int64(25+n)
			if n == 0 {
				other = create(1)
				other.Lease, other.Call, other.Return = "cbx_2", 1, 2
			}
			line, _ := json.Marshal(other)
			text += string(line) + "\n"
		}
		var out strings.Builder
		if run(strings.NewReader(text), &out, time.Minute) != 1 {
			t.Errorf("not noticed: %s", name)
		}
		if !strings.HasSuffix(out.String(), "1 wrong, 0 undecided\n") {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}

func TestUnreadable(t *testing.T) {
	var out strings.Builder
	if run(strings.NewReader("{}\nnonsense\n"), &out, time.Minute) != 2 {
		t.Error(out.String())
	}
}
