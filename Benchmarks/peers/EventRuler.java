import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import software.amazon.event.ruler.GenericMachine;

/**
 * What event-ruler takes for the rules and events of a folder that `carillon-bench match --write` made, as one JSON line.
 *
 * EventRuler FOLDER SECONDS: warms up for three times SECONDS, then matches all events again and again for SECONDS; the
 * best passes count, or as much of the first as was done by then. CPU is that of the process, so that collecting garbage counts.
 */
final class EventRuler {
    private final GenericMachine<Integer> machine = new GenericMachine<>();
    private final List<String> events;
    private int done;
    private long matched;

    private EventRuler(List<String> events) {
        this.events = events;
    }

    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        List<String> rules = Files.readAllLines(folder.resolve("rules.tsv"));
        long nanoseconds = (long) (Double.parseDouble(arguments[1]) * 1e9);
        EventRuler ruler = new EventRuler(Files.readAllLines(folder.resolve("events.jsonl")));
        long memory = heap(), cpu = cpu();
        for (int number = 0; number < rules.size(); number++) {
            String rule = rules.get(number);
            ruler.machine.addRule(number, rule.substring(rule.indexOf('\t') + 1));
        }
        double compiling = (cpu() - cpu) / 1e9;
        long bytes = (heap() - memory) / rules.size();
        ruler.best(3 * nanoseconds);
        double each = ruler.best(nanoseconds);
        System.out.printf(Locale.ROOT,
            "{\"cpu_us_per_event\":%.3f,\"matched\":%d,\"events\":%d,\"compile_seconds\":%.3f,\"bytes_per_rule\":%d}%n",
            each, ruler.matched, ruler.done, compiling, bytes);
    }

    /** Microseconds an event, of the best passes. */
    private double best(long nanoseconds) throws Exception {
        long end = System.nanoTime() + nanoseconds;
        double best = passes(end);
        while (System.nanoTime() < end) best = Math.min(best, passes(Long.MAX_VALUE));
        return best;
    }

    /** Microseconds an event, of so many passes that the clock of CPU time, which ticks by 10 ms, can tell. */
    private double passes(long end) throws Exception {
        long began = cpu(), used, passed = 0;
        do {
            pass(end);
            passed += done;
            used = cpu() - began;
        } while (used < 200_000_000 && System.nanoTime() < end);
        return used / 1e3 / passed;
    }

    /** Matches all events, or as many as are done by then. */
    private void pass(long end) throws Exception {
        done = 0;
        matched = 0;
        for (String event : events) {
            matched += machine.rulesForJSONEvent(event).size();
            done++;
            if ((done & 15) == 0 && System.nanoTime() > end) return;
        }
    }

    private static long cpu() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    private static long heap() {
        for (int turn = 0; turn < 3; turn++) System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
