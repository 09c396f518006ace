package rmqops.load;

import com.alibaba.fastjson.JSON;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Where the lines of the history go: standard output, whole lines, every 20 ms; see rmqops/model/history.py. */
final class Outlet {
    private static final long FLUSH = 20;

    private final OutputStream out = new FileOutputStream(FileDescriptor.out);
    private final long epoch;
    private StringBuilder lines = new StringBuilder();
    private long count;

    /** @param epoch what t counts from, in seconds of CLOCK_MONOTONIC, which is System.nanoTime() on Linux */
    Outlet(double epoch) {
        this.epoch = (long) (epoch * 1e9);
        Thread thread = new Thread(this::keepFlushing, "outlet");
        thread.setDaemon(true);
        thread.start();
    }

    /** Takes one event now; what is null is left out, and attempts if there was but one. */
    synchronized void event(String process, String op, String type, String topic, String broker, Integer queue,
            Long offset, String key, String error, String address, int attempts) {
        long microseconds = (System.nanoTime() - epoch) / 1000; // under the lock: t never runs backwards
        lines.append("{\"t\":").append(microseconds / 1_000_000).append('.');
        String fraction = Long.toString(microseconds % 1_000_000);
        lines.append("000000", 0, 6 - fraction.length()).append(fraction);
        text("process", process);
        text("op", op);
        text("type", type);
        text("topic", topic);
        text("broker", broker);
        number("queue", queue);
        number("offset", offset);
        text("key", key);
        text("error", error);
        text("address", address);
        if (attempts > 1) {
            lines.append(",\"value\":{\"attempts\":\"").append(attempts).append("\"}");
        }
        lines.append("}\n");
        count++;
    }

    /** Says which client this is and how it is set; one line, before any other. */
    synchronized void client(Map<String, String> client) {
        lines.append("{\"client\":").append(JSON.toJSONString(client)).append("}\n");
    }

    /** Writes all that is left, and last the summary, with the number of all lines. */
    void finish(Map<String, Object> summary) throws IOException {
        synchronized (this) {
            summary.put("lines", count);
            lines.append("{\"summary\":").append(JSON.toJSONString(summary)).append("}\n");
        }
        flush();
    }

    private void text(String name, String value) {
        if (value != null) {
            lines.append(",\"").append(name).append("\":").append(JSON.toJSONString(value));
        }
    }

    private void number(String name, Number value) {
        if (value != null) {
            lines.append(",\"").append(name).append("\":").append(value);
        }
    }

    private void keepFlushing() {
        try {
            while (true) {
                Thread.sleep(FLUSH);
                flush();
            }
        } catch (IOException | InterruptedException gone) {
            Runtime.getRuntime().halt(1); // nobody reads any more
        }
    }

    /** Writes what there is, in the order of the lines; meanwhile others may go on adding. */
    void flush() throws IOException {
        synchronized (out) {
            StringBuilder ripe;
            synchronized (this) {
                ripe = lines;
                lines = new StringBuilder();
            }
            if (ripe.length() > 0) {
                out.write(ripe.toString().getBytes(StandardCharsets.UTF_8));
            }
        }
    }
}
