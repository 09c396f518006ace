package rmqops.load;

import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Answers each byte with this host's CLOCK_MONOTONIC in nanoseconds, which t is counted by; see clocks.py. */
final class Clock {
    private Clock() {
    }

    public static void main(String[] none) throws IOException {
        while (System.in.read() >= 0) {
            System.out.write((System.nanoTime() + "\n").getBytes(StandardCharsets.US_ASCII));
            System.out.flush();
        }
    }
}
