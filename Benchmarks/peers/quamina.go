// What quamina takes for the rules and events of a folder that `carillon-bench match --write` made, as one JSON line.
//
// quamina FOLDER SECONDS [COMPILING]: warms up for SECONDS, then matches all events again and again for as long; the best
// pass counts, or as much of the first as was done by then. CPU is that of the process, so that collecting garbage counts.
// Rules it does not know, or that take more than COMPILING seconds (60), end it with {"lacks": …}.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"quamina.net/go/quamina/v2"
)

// A suffix is a wildcard here.
var suffix = regexp.MustCompile(`\{"suffix":"([^"\\*]*)"\}`)

func main() {
	seconds := number(os.Args[2])
	compiling := 60.0
	if len(os.Args) > 3 {
		compiling = number(os.Args[3])
	}
	rules := lines("rules.tsv")
	events := lines("events.jsonl")
	matcher, err := quamina.New()
	check(err)
	if len(rules) <= 100 { // with more, automata made for speed outgrow the memory
		check(matcher.SetMatcherBuildMode(quamina.BuiltForSpeed))
	}
	memory, began := heap(), cpu()
	for at, rule := range rules {
		_, pattern, _ := bytes.Cut(rule, []byte("\t"))
		pattern = suffix.ReplaceAll(pattern, []byte(`{"shellstyle":"*$1"}`))
		if err := matcher.AddPattern(at, string(pattern)); err != nil {
			lacks(err.Error())
		}
		if cpu()-began > compiling {
			lacks(fmt.Sprintf("%d rules in %.0f s", at+1, compiling))
		}
	}
	compiled := cpu() - began
	size := (heap() - memory) / int64(len(rules))
	best(matcher, events, seconds)
	each, done, matched := best(matcher, events, seconds)
	fmt.Printf(`{"cpu_us_per_event":%.3f,"matched":%d,"events":%d,"compile_seconds":%.3f,"bytes_per_rule":%d}`+"\n",
		each, matched, done, compiled, size)
}

// best is what the best pass took, in microseconds an event.
func best(matcher *quamina.Quamina, events [][]byte, seconds float64) (each float64, done, matched int) {
	end := time.Now().Add(time.Duration(seconds * 1e9))
	each, done, matched = pass(matcher, events, end)
	for time.Now().Before(end) {
		again, _, _ := pass(matcher, events, end.Add(time.Hour))
		each = math.Min(each, again)
	}
	return
}

// pass matches all events, or as many as are done by then.
func pass(matcher *quamina.Quamina, events [][]byte, end time.Time) (each float64, done, matched int) {
	began := cpu()
	for _, event := range events {
		matches, err := matcher.MatchesForEvent(event)
		check(err)
		matched += len(matches)
		done++
		if done&15 == 0 && time.Now().After(end) {
			break
		}
	}
	return (cpu() - began) * 1e6 / float64(done), done, matched
}

func cpu() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}

func heap() int64 {
	var memory runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&memory)
	return int64(memory.HeapAlloc)
}

func lines(name string) [][]byte {
	text, err := os.ReadFile(filepath.Join(os.Args[1], name))
	check(err)
	return bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
}

func number(text string) float64 {
	value, err := strconv.ParseFloat(text, 64)
	check(err)
	return value
}

func lacks(what string) {
	text, err := json.Marshal(map[string]string{"lacks": what})
	check(err)
	fmt.Println(string(text))
	os.Exit(0)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
