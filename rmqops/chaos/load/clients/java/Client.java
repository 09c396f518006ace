package rmqops.load;

import com.alibaba.fastjson.JSONObject;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.common.MQVersion;

/** What every client of the official library is set to, and what it says of itself. */
final class Client {
    private Client() {
    }

    static void set(ClientConfig config, JSONObject settings) {
        JSONObject client = settings.getJSONObject("client");
        config.setNamesrvAddr(String.join(";", settings.getJSONArray("nameservers").toJavaList(String.class)));
        config.setInstanceName(settings.getString("name"));
        config.setPollNameServerInterval(client.getIntValue("pollNameServerInterval"));
        config.setHeartbeatBrokerInterval(client.getIntValue("heartbeatBrokerInterval"));
    }

    /** The address by which a broker is known: the client sends to its VIP channel, two ports below, where it may. */
    static String known(ClientConfig config, String address) {
        if (address == null || !config.isVipChannelEnabled()) {
            return address;
        }
        int colon = address.lastIndexOf(':') + 1;
        return address.substring(0, colon) + (Integer.parseInt(address.substring(colon)) + 2);
    }

    /** As the client itself answers, so that a report names what was in force. */
    static Map<String, String> facts(ClientConfig config) {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("driver", "java");
        facts.put("version", MQVersion.getVersionDesc(MQVersion.CURRENT_VERSION).substring(1).replace('_', '.'));
        facts.put("java", System.getProperty("java.version"));
        facts.put("pollNameServerInterval", String.valueOf(config.getPollNameServerInterval()));
        facts.put("heartbeatBrokerInterval", String.valueOf(config.getHeartbeatBrokerInterval()));
        facts.put("vipChannelEnabled", String.valueOf(config.isVipChannelEnabled()));
        return facts;
    }
}
