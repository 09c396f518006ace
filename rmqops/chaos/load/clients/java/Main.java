package rmqops.load;

import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;

/** The entry of a process of the load: {@code java rmqops.load.Main SETTINGS}, as the native one is started. */
public final class Main {
    private Main() {
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(System.err); // standard output is the history's; see Outlet
        JSONObject settings = JSON.parseObject(arguments[0]);
        Outlet outlet = new Outlet(settings.getDoubleValue("epoch"));
        Orders orders = Orders.follow(System.in, settings.getIntValue("silence"));
        if ("producer".equals(settings.getString("role"))) {
            new Sender(settings, outlet).perform(orders);
        } else {
            new Receiver(settings, outlet).perform(orders);
        }
        System.exit(0);
    }
}
