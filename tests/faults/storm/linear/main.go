// SPDX-License-Identifier: MIT

// linear reads the requests of a storm and their answers (a JSON object a line, `record`) and
// says whether there is, for each lease, an order of its requests that explains all answers and
// in which no request comes before one that had been answered when it was sent.
//
// The last line is "linear: N leases, N requests, N wrong, N undecided". Exit: 0; 1 something is
// wrong or, in the time given, undecided; 2 it cannot read its input.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

type key struct {
	lease string
	era   int
}

func read(from io.Reader) (map[key][]record, int, error) {
	all := map[key][]record{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	count := 0
	for lines.Scan() {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", count+1, err)
		}
		count++
		k := key{r.Lease, r.Era}
		all[k] = append(all[k], r)
	}
	return all, count, lines.Err()
}

func check(era int, records []record, patience time.Duration) porcupine.CheckResult {
	var history []porcupine.Operation
	var events []record
	for n, r := range records {
		events = append(events, divide(r, n)...)
	}
	for _, r := range events {
		end := r.Return
		if end == 0 {
			if r.Kind == "read" || r.Kind == "beat" {
				continue // changes no phase, so it explains nothing
			}
			end = math.MaxInt64
		}
		history = append(history, porcupine.Operation{
			ClientId: r.Client, Input: r, Call: r.Call, Output: r, Return: end})
	}
	return porcupine.CheckOperationsTimeout(model(era), history, patience)
}

func explain(out io.Writer, k key, records []record) {
	sort.Slice(records, func(a, b int) bool { return records[a].Call < records[b].Call })
	for _, r := range records {
		fmt.Fprintf(out, "  %d..%d client %d %s: %d %s epoch %d touched %d\n",
			r.Call, r.Return, r.Client, r.Kind, r.Status, r.Phase, r.Epoch, r.Touch)
	}
}

func run(from io.Reader, out io.Writer, patience time.Duration) int {
	all, count, err := read(from)
	if err != nil {
		fmt.Fprintln(out, "linear:", err)
		return 2
	}
	wrong, undecided := 0, 0
	for k, records := range all {
		switch check(k.era, records, patience) {
		case porcupine.Illegal:
			wrong++
			fmt.Fprintf(out, "%s, era %d: no order explains these answers\n", k.lease, k.era)
			explain(out, k, records)
		case porcupine.Unknown:
			undecided++
			fmt.Fprintf(out, "%s, era %d: undecided after %v\n", k.lease, k.era, patience)
		}
	}
	fmt.Fprintf(out, "linear: %d leases, %d requests, %d wrong, %d undecided\n",
		len(all), count, wrong, undecided)
	if wrong+undecided > 0 {
		return 1
	}
	return 0
}

func main() {
	patience := flag.Duration("patience", 20*time.Second, "time for one lease")
	flag.Parse()
	os.Exit(run(os.Stdin, os.Stdout, *patience))
}
