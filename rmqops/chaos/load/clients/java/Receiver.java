package rmqops.load;

import com.alibaba.fastjson.JSONObject;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.client.impl.consumer.ProcessQueue;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * One member of a consumer group, by the official push consumer: the group's queues are shared among the members,
 * and when one dies the others take over its queues.
 *
 * <p>A queue that comes back after it had been given away is read again from the offset that was committed, so
 * what was read and not committed comes twice. The history knows that as another life, with another name:
 * consumer-1.2 is consumer-1 with a queue that it was given for the second time. The client makes a new
 * ProcessQueue whenever it is given a queue, so that is what tells the lives apart; the offsets, which the checks
 * judge, have no part in it. One thread takes the messages, so those of a queue come in the order in which they
 * were pulled.
 */
final class Receiver implements MessageListenerConcurrently {
    /**
     * Seconds without progress after which the rest of the queues is left, once the client knows the route: queues
     * are shared anew every 20 s (RebalanceService). {@code Request.bounds} in Python goes by the same.
     */
    private static final long REST = 30;

    private final long rest;
    private final Outlet outlet;
    private final String name;
    private final String topic;
    private final DefaultMQPushConsumer consumer;
    private final Map<MessageQueue, Life> lives = new HashMap<>();
    private final ConcurrentMap<MessageQueue, Long> next = new ConcurrentHashMap<>();
    private volatile int received;

    private static final class Life {
        final ProcessQueue queue;
        final int number;
        final String name;

        Life(ProcessQueue queue, int number, String process) {
            this.queue = queue;
            this.number = number;
            name = number == 1 ? process : process + "." + number;
        }
    }

    Receiver(JSONObject settings, Outlet outlet) throws Exception {
        this.outlet = outlet;
        name = settings.getString("name");
        JSONObject client = settings.getJSONObject("client");
        rest = TimeUnit.SECONDS.toNanos(REST) + TimeUnit.MILLISECONDS.toNanos(
                client.getLongValue("pollNameServerInterval") + client.getLongValue("heartbeatBrokerInterval"));
        topic = settings.getString("topic");
        consumer = new DefaultMQPushConsumer(settings.getString("group"));
        Client.set(consumer, settings);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setConsumeThreadMin(1);
        consumer.setConsumeThreadMax(1);
        consumer.setConsumeMessageBatchMaxSize(32);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(this);
    }

    void perform(Orders orders) throws Exception {
        consumer.start();
        Map<String, String> facts = Client.facts(consumer);
        facts.put("persistConsumerOffsetInterval", String.valueOf(consumer.getPersistConsumerOffsetInterval()));
        outlet.client(facts);
        orders.stopWithin(Long.MAX_VALUE);
        finish();
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("name", name);
        summary.put("receives", received);
        outlet.finish(summary);
        consumer.shutdown();
    }

    @Override
    public ConsumeConcurrentlyStatus consumeMessage(
            List<MessageExt> messages, ConsumeConcurrentlyContext context) {
        MessageQueue queue = context.getMessageQueue();
        if (queue.getTopic().equals(topic)) {
            String life = life(queue);
            for (MessageExt message : messages) {
                outlet.event(life, "receive", "ok", topic, queue.getBrokerName(), queue.getQueueId(),
                        message.getQueueOffset(), key(message.getBody()), null, null, 1);
                next.put(queue, message.getQueueOffset() + 1);
            }
            received += messages.size();
            tell();
        }
        return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
    }

    /** What was read is on record before it can be committed: whoever dies after that has not hidden it. */
    private void tell() {
        try {
            outlet.flush();
        } catch (IOException gone) {
            throw new UncheckedIOException(gone); // the outlet's own thread ends this process
        }
    }

    private String life(MessageQueue queue) {
        ProcessQueue now = held().get(queue);
        Life last = lives.get(queue);
        // No longer held: what was pulled before it was given away.
        if (last == null || now != null && now != last.queue) {
            last = new Life(now, last == null ? 1 : last.number + 1, name);
            lives.put(queue, last);
        }
        return last.name;
    }

    private Map<MessageQueue, ProcessQueue> held() {
        return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable();
    }

    private static String key(byte[] body) {
        String text = new String(body, StandardCharsets.UTF_8);
        int end = text.indexOf(' ');
        return end < 0 ? text : text.substring(0, end);
    }

    /** Reads on to the end that every held queue has now: as long as that goes on, and until a route is polled. */
    private void finish() throws InterruptedException {
        Set<MessageQueue> left = new TreeSet<>(held().keySet());
        left.removeIf(queue -> !queue.getTopic().equals(topic));
        int seen = -1;
        long since = System.nanoTime();
        while (!left.isEmpty() && System.nanoTime() - since < rest) {
            if (received != seen) {
                seen = received;
                since = System.nanoTime();
            }
            left.removeIf(this::drained);
            Thread.sleep(50);
        }
    }

    private boolean drained(MessageQueue queue) {
        try {
            long committed = consumer.getDefaultMQPushConsumerImpl().getOffsetStore()
                    .readOffset(queue, ReadOffsetType.MEMORY_FIRST_THEN_STORE);
            return Math.max(committed, next.getOrDefault(queue, 0L)) >= consumer.maxOffset(queue);
        } catch (Exception unknown) {
            return false;
        }
    }
}
