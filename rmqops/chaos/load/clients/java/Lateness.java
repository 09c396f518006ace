package rmqops.load;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** How late each send left, from the moment when it was due. */
final class Lateness {
    private long[] nanoseconds = new long[1 << 12];
    private int count;

    synchronized void add(long late) {
        if (count == nanoseconds.length) {
            nanoseconds = Arrays.copyOf(nanoseconds, 2 * count);
        }
        nanoseconds[count++] = late;
    }

    /** The fields of Summary in rmqops/chaos/load/clients/settings.py. */
    synchronized Map<String, Object> summary(String name, int skipped) {
        Arrays.sort(nanoseconds, 0, count);
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("name", name);
        summary.put("sends", count);
        summary.put("skipped", skipped);
        summary.put("lateness_p50", quantile(0.5));
        summary.put("lateness_p99", quantile(0.99));
        summary.put("lateness_max", quantile(1));
        return summary;
    }

    private double quantile(double share) {
        return count == 0 ? 0 : Math.round(nanoseconds[Math.min(count - 1, (int) (share * count))] / 1e3) / 1e3;
    }
}
