package rmqops.load;

import java.io.IOException;
import java.io.InputStream;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** What the run says on standard input: {@code stop} for an orderly end; when it closes, this process dies. */
final class Orders {
    private final CountDownLatch stop = new CountDownLatch(1);

    private Orders() {
    }

    static Orders follow(InputStream said) {
        Orders orders = new Orders();
        Thread thread = new Thread(() -> orders.take(said), "orders");
        thread.setDaemon(true);
        thread.start();
        return orders;
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
            while (said.read() >= 0) {
                stop.countDown(); // there is no other order
            }
        } catch (IOException gone) {
            // as when it closes
        }
        Runtime.getRuntime().halt(1);
    }
}
