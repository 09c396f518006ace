package rmqops.load;

import com.alibaba.fastjson.JSONArray;
import com.alibaba.fastjson.JSONObject;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.hook.SendMessageContext;
import org.apache.rocketmq.client.hook.SendMessageHook;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.remoting.exception.RemotingConnectException;
import org.apache.rocketmq.remoting.exception.RemotingTooMuchRequestException;

/**
 * What became of each attempt of a synchronous send. The client tries again inside itself and throws only what
 * went wrong last, so the attempts are seen from its hook, which it calls in the sending thread around each of
 * them.
 *
 * <p>An attempt was refused (certainly not stored) if the broker said so with an answer of the table in
 * rmqops/remoting/outcomes.py, which comes with the settings, or if nothing was written: RemotingConnectException
 * (NettyRemotingClient.invokeSync, no live channel) and RemotingTooMuchRequestException (the time was up before
 * the request; DefaultMQProducerImpl.sendKernelImpl, MQClientAPIImpl.sendMessage). RemotingSendRequestException is
 * not such a one: it is thrown for whatever waits on a channel that the client closes
 * (NettyRemotingAbstract.failFast). All others are indeterminate, as is an attempt that never ended.
 */
final class Attempts implements SendMessageHook {
    private final ThreadLocal<Send> current = new ThreadLocal<>();
    private final JSONArray refusedCodes;
    private final JSONArray refusedRemarks;

    Attempts(JSONObject settings) {
        refusedCodes = settings.getJSONArray("refused_codes");
        refusedRemarks = settings.getJSONArray("refused_remarks");
    }

    /** One send of this thread, with all its attempts. */
    static final class Send {
        int attempts;
        SendMessageContext last;
        /** Why nobody knows what became of the send: the first attempt that may have been stored. */
        String unknown;
        SendMessageContext unknownAt;
        /** Where a broker put it, less safely than it should. */
        SendResult unsafe;
        String refused;
        private boolean open;

        /** Ends the send; an attempt that was begun and not ended may have got through. */
        void close(Throwable thrown) {
            if (open) {
                unknown("never ended: " + thrown);
            } else if (attempts == 0) {
                refused = words(thrown);
            }
        }

        private void unknown(String why) {
            if (unknown == null) {
                unknown = why;
                unknownAt = last;
            }
        }
    }

    Send begin() {
        Send send = new Send();
        current.set(send);
        return send;
    }

    @Override
    public String hookName() {
        return "rmqops";
    }

    @Override
    public void sendMessageBefore(SendMessageContext context) {
        Send send = current.get();
        send.attempts++;
        send.last = context;
        send.open = true;
    }

    @Override
    public void sendMessageAfter(SendMessageContext context) {
        Send send = current.get();
        send.open = false;
        Exception thrown = context.getException();
        SendResult result = context.getSendResult();
        if (thrown == null && result != null) {
            if (result.getSendStatus() != SendStatus.SEND_OK) {
                send.unsafe = result;
                send.unknown("stored, but " + result.getSendStatus());
            }
        } else if (refuses(thrown)) {
            send.refused = words(thrown);
        } else {
            send.unknown(words(thrown));
        }
    }

    private boolean refuses(Exception thrown) {
        if (thrown instanceof MQBrokerException) {
            MQBrokerException answer = (MQBrokerException) thrown;
            return refuses(answer.getResponseCode(), String.valueOf(answer.getErrorMessage()));
        }
        return thrown instanceof RemotingConnectException || thrown instanceof RemotingTooMuchRequestException;
    }

    private boolean refuses(int code, String remark) {
        if (refusedCodes.contains(code)) {
            return true;
        }
        for (int number = 0; code == 1 && number < refusedRemarks.size(); number++) {
            JSONArray ends = refusedRemarks.getJSONArray(number);
            if (remark.startsWith(ends.getString(0)) && remark.endsWith(ends.getString(1))) {
                return true;
            }
        }
        return false;
    }

    private static String words(Throwable thrown) {
        if (thrown instanceof MQBrokerException) {
            MQBrokerException answer = (MQBrokerException) thrown;
            return "code " + answer.getResponseCode() + ": " + answer.getErrorMessage();
        }
        if (thrown == null) {
            return "the client says nothing";
        }
        return thrown.getClass().getSimpleName() + ": " + thrown.getMessage();
    }
}
