package rmqops.load;

import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * What the run says on standard input: {@code stop} for an orderly end; when it closes, this process dies. A run on
 * another machine sends an empty line every few seconds, too: when none comes, the way to it is cut without a word.
 */
final class Orders {
    private final CountDownLatch stop = new CountDownLatch(1);

    private volatile long heard = System.nanoTime();

    private Orders() {
    }

    /** @param silence seconds without a word after which this process dies; 0 where the run sends no empty lines */
    static Orders follow(InputStream said, int silence) {
        Orders orders = new Orders();
        start(() -> orders.take(said), "orders");
        if (silence > 0) {
            start(() -> orders.mind(TimeUnit.SECONDS.toNanos(silence)), "silence");
        }
        return orders;
    }

    private static void start(Runnable task, String name) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        thread.start();
    }

    /** Waits so many nanoseconds and tells whether it is time to stop. */
    boolean stopWithin(long nanoseconds) {
        try {
            return stop.await(nanoseconds, TimeUnit.NANOSECONDS);
        } catch (InterruptedException never) {
            throw new IllegalStateException(never); // nobody interrupts
        }
    }

    private void take(InputStream said) {
        try {
            for (int word = said.read(); word >= 0; word = said.read()) {
                heard = System.nanoTime();
                if (word == 's') {
                    stop.countDown(); // there is no other order
                }
            }
        } catch (IOException gone) {
            // as when it closes
        }
        Runtime.getRuntime().halt(1);
    }

    private void mind(long silence) {
        try {
            while (System.nanoTime() - heard < silence) {
                Thread.sleep(500);
            }
        } catch (InterruptedException never) {
            // nobody interrupts
        }
        Runtime.getRuntime().halt(1);
    }
}
