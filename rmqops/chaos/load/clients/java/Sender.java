package rmqops.load;

import com.alibaba.fastjson.JSONObject;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.hook.SendMessageContext;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.common.message.Message;

/**
 * Sends at a fixed rate by the clock, whatever the answers, with the official client's synchronous send: message n
 * is due at n / rate. A send that waits has a thread of its own; when too many wait, the next ones are counted as
 * skipped.
 */
final class Sender {
    /** Sends that may be under way: each has a thread. */
    private static final int MOST = 1000;
    /** Seconds for the sends that are under way at the end; each is bounded by sendMsgTimeout. */
    private static final long REST = 25;
    /** Nanoseconds before the next send after a failed one, at rate 0. */
    private static final long PAUSE = 100_000_000;

    private final JSONObject settings;
    private final Outlet outlet;
    private final String name;
    private final String topic;
    private final boolean byKey;
    private final int keys;
    private final boolean ahead;
    private final Attempts attempts;
    private final DefaultMQProducer producer;
    private final Lateness lateness = new Lateness();
    private final AtomicInteger underWay = new AtomicInteger();

    Sender(JSONObject settings, Outlet outlet) {
        this.settings = settings;
        this.outlet = outlet;
        name = settings.getString("name");
        topic = settings.getString("topic");
        byKey = "by-key".equals(settings.getString("choice"));
        keys = settings.getIntValue("keys");
        ahead = settings.getBooleanValue("ahead");
        attempts = new Attempts(settings);
        producer = new DefaultMQProducer(topic);
        Client.set(producer, settings);
        JSONObject client = settings.getJSONObject("client");
        producer.setSendMsgTimeout(client.getIntValue("sendMsgTimeout"));
        producer.setRetryTimesWhenSendFailed(client.getIntValue("retryTimesWhenSendFailed"));
        producer.getDefaultMQProducerImpl().registerSendMessageHook(attempts);
    }

    void perform(Orders orders) throws Exception {
        producer.start();
        outlet.client(facts());
        double rate = settings.getDoubleValue("rate");
        if (rate == 0) {
            saturate(orders);
        } else {
            keep(rate, orders);
        }
        producer.shutdown();
    }

    /** Sends the next message as soon as one is answered; what fails waits, or an outage would be a storm. */
    private void saturate(Orders orders) throws Exception {
        AtomicLong numbers = new AtomicLong();
        ExecutorService threads = Executors.newCachedThreadPool();
        for (int slot = 0; slot < settings.getIntValue("in_flight"); slot++) {
            threads.execute(() -> {
                boolean sent = true;
                while (!orders.stopWithin(sent ? 0 : PAUSE)) {
                    sent = send(numbers.getAndIncrement(), System.nanoTime());
                }
            });
        }
        orders.stopWithin(Long.MAX_VALUE);
        threads.shutdown();
        threads.awaitTermination(REST, TimeUnit.SECONDS);
        outlet.finish(lateness.summary(name, 0));
    }

    private void keep(double rate, Orders orders) throws Exception {
        double most = Math.min(MOST, Math.max(64, 2 * rate * producer.getSendMsgTimeout() / 1000));
        ExecutorService threads = Executors.newCachedThreadPool();
        long start = System.nanoTime() + (long) (settings.getDoubleValue("lead") * 1e9);
        long due = start;
        int skipped = 0;
        for (long number = 1; !orders.stopWithin(due - System.nanoTime()); number++) {
            if (underWay.get() < most) {
                underWay.incrementAndGet();
                long next = number - 1;
                long meant = due;
                threads.execute(() -> send(next, meant));
            } else {
                skipped++;
            }
            due = start + (long) (number / rate * 1e9);
        }
        threads.shutdown();
        threads.awaitTermination(REST, TimeUnit.SECONDS);
        outlet.finish(lateness.summary(name, skipped));
    }

    private String key(long number) {
        return String.format(Locale.ROOT, "%s-%08d", settings.getString("prefix"), number);
    }

    /** Sends one message and tells what became of it; returns whether it was acknowledged. */
    private boolean send(long number, long due) {
        String key = key(number);
        String shared = keys > 0 ? "key-" + number % keys : key;
        Message message = new Message(topic, null, shared, body(key));
        Attempts.Send send = attempts.begin();
        lateness.add(System.nanoTime() - due);
        outlet.event(name, "send", "invoke", topic, null, null, null, key, null, null, 1);
        try {
            if (ahead) {
                outlet.flush();
            }
            SendResult result = byKey
                    ? producer.send(message, new SelectMessageQueueByHash(), shared) : producer.send(message);
            send.close(null);
            return tell(key, send, result);
        } catch (Throwable thrown) {
            send.close(thrown);
            return tell(key, send, null);
        } finally {
            underWay.decrementAndGet();
        }
    }

    private boolean tell(String key, Attempts.Send send, SendResult result) {
        if (result != null && result.getSendStatus() == SendStatus.SEND_OK) {
            outlet.event(name, "send", "ok", topic, result.getMessageQueue().getBrokerName(),
                    result.getMessageQueue().getQueueId(), result.getQueueOffset(), key, null,
                    Client.known(producer, send.last.getBrokerAddr()), send.attempts);
            return true;
        }
        boolean refused = send.unknown == null;
        SendMessageContext at = refused ? send.last : send.unknownAt;
        outlet.event(name, "send", refused ? "fail" : "info", topic,
                at == null ? null : at.getMq().getBrokerName(),
                at == null ? null : (Integer) at.getMq().getQueueId(),
                send.unsafe == null ? null : (Long) send.unsafe.getQueueOffset(), key,
                refused ? send.refused : send.unknown,
                at == null ? null : Client.known(producer, at.getBrokerAddr()), send.attempts);
        return false;
    }

    private byte[] body(String key) {
        byte[] begin = (key + " ").getBytes(StandardCharsets.UTF_8);
        byte[] body = Arrays.copyOf(begin, settings.getIntValue("size"));
        Arrays.fill(body, begin.length, body.length, (byte) '.');
        return body;
    }

    private Map<String, String> facts() {
        Map<String, String> facts = Client.facts(producer);
        facts.put("sendMsgTimeout", String.valueOf(producer.getSendMsgTimeout()));
        facts.put("retryTimesWhenSendFailed", String.valueOf(producer.getRetryTimesWhenSendFailed()));
        facts.put("sendLatencyFaultEnable", String.valueOf(producer.isSendLatencyFaultEnable()));
        return facts;
    }
}
