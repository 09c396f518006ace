import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;

/** What the classes of a release make of values: a question a line (`kind TAB argument …`), an answer a line. */
public class ReleaseParsers {
    private static final String ROOT = "org.apache.rocketmq.";
    private static final String[] CONFIGS = {
        "common.BrokerConfig", "store.config.MessageStoreConfig", "remoting.netty.NettyServerConfig",
        "remoting.netty.NettyClientConfig", "common.namesrv.NamesrvConfig",
    };
    private static Object store;
    private static Object storeConfig;

    public static void main(String[] arguments) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split("\t", -1);
            String answer;
            try {
                answer = answer(words[0], Arrays.copyOfRange(words, 1, words.length));
            } catch (Throwable error) {
                Throwable cause = error.getCause() == null ? error : error.getCause();
                answer = "threw " + cause.getClass().getSimpleName();
            }
            System.out.println("answer\t" + answer);
        }
        System.exit(0);
    }

    private static String answer(String kind, String[] words) throws Exception {
        switch (kind) {
            case "hours": {
                Method parser = Class.forName(ROOT + "common.UtilAll").getMethod("isItTimeToDo", String.class);
                parser.invoke(null, words[0]);
                return "read";
            }
            case "delays":
                return delays(words[0]) ? "read" : "refused";
            case "address": {
                Class<?> util = Class.forName(ROOT + "remoting.common.RemotingUtil");
                util.getMethod("string2SocketAddress", String.class).invoke(null, words[0]);
                return "read";
            }
            case "bloom": {
                Class<?> filter = Class.forName(ROOT + "filter.util.BloomFilter");
                int rate = Integer.parseInt(words[0]);
                filter.getMethod("createByFn", int.class, int.class).invoke(null, rate, Integer.parseInt(words[1]));
                return "read";
            }
            case "value":
                return value(words);
            case "peers":
                return peers(words[0], words[1]);
            case "source":
                return exists(words[0], words[1]) ? "there" : "missing";
            default:
                throw new IllegalArgumentException(kind);
        }
    }

    private static boolean delays(String levels) throws Exception {
        Class<?> configuration = Class.forName(ROOT + "store.config.MessageStoreConfig");
        Class<?> type = Class.forName(ROOT + "store.DefaultMessageStore");
        if (store == null) {
            String home = Files.createTempDirectory(new File("").toPath().toAbsolutePath(), "store").toString();
            storeConfig = configuration.getConstructor().newInstance();
            configuration.getMethod("setStorePathRootDir", String.class).invoke(storeConfig, home);
            configuration.getMethod("setStorePathCommitLog", String.class).invoke(storeConfig, home + "/commitlog");
            Constructor<?> maker = type.getConstructors()[0];
            Object broker = Class.forName(ROOT + "common.BrokerConfig").getConstructor().newInstance();
            store = maker.newInstance(storeConfig, null, null, broker);
        }
        configuration.getMethod("setMessageDelayLevel", String.class).invoke(storeConfig, levels);
        Class<?> service = Class.forName(ROOT + "store.schedule.ScheduleMessageService");
        Object schedule = service.getConstructor(type).newInstance(store);
        return (Boolean) service.getMethod("parseDelayLevel").invoke(schedule);
    }

    /** `value key text [key text …]`: what the getter of the first key says once all are set as a file sets them. */
    private static String value(String[] words) throws Exception {
        Properties properties = new Properties();
        for (int place = 0; place < words.length; place += 2) {
            properties.setProperty(words[place], words[place + 1]);
        }
        Class<?> util = Class.forName(ROOT + "common.MixAll");
        String name = Character.toUpperCase(words[0].charAt(0)) + words[0].substring(1);
        for (String configuration : CONFIGS) {
            Class<?> type = Class.forName(ROOT + configuration);
            for (String getter : new String[] {"get" + name, "is" + name, "get" + words[0], "is" + words[0]}) {
                for (Method method : type.getMethods()) {
                    if (method.getName().equals(getter) && method.getParameterCount() == 0) {
                        Object object = type.getConstructor().newInstance();
                        util.getMethod("properties2Object", Properties.class, Object.class)
                            .invoke(null, properties, object);
                        return String.valueOf(method.invoke(object));
                    }
                }
            }
        }
        return "no such key";
    }

    private static String peers(String id, String peers) throws Exception {
        Class<?> type = Class.forName("io.openmessaging.storage.dledger.DLedgerConfig");
        Object config = type.getConstructor().newInstance();
        type.getMethod("setSelfId", String.class).invoke(config, id);
        type.getMethod("setPeers", String.class).invoke(config, peers);
        type.getMethod("setStoreBaseDir", String.class).invoke(config, new File("dledger").getAbsolutePath());
        Class<?> state = Class.forName("io.openmessaging.storage.dledger.MemberState");
        Object member = state.getConstructor(type).newInstance(config);
        return Integer.parseInt(id.substring(1)) + " " + state.getMethod("getSelfAddr").invoke(member);
    }

    private static final Map<String, Set<String>> CLASSES = new HashMap<>();

    private static boolean exists(String simple, String member) throws Exception {
        if (CLASSES.isEmpty()) {
            for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
                if (path.matches(".*/(rocketmq|dledger)-[^/]*[.]jar")) {
                    try (JarFile jar = new JarFile(path)) {
                        for (Enumeration<JarEntry> all = jar.entries(); all.hasMoreElements();) {
                            String name = all.nextElement().getName();
                            if (name.endsWith(".class")) {
                                String whole = name.substring(0, name.length() - 6).replace('/', '.');
                                String last = whole.substring(Math.max(whole.lastIndexOf('.'), whole.lastIndexOf('$')) + 1);
                                CLASSES.computeIfAbsent(last, key -> new HashSet<>()).add(whole);
                            }
                        }
                    }
                }
            }
        }
        for (String name : CLASSES.getOrDefault(simple, new HashSet<>())) {
            Class<?> type = Class.forName(name, false, ReleaseParsers.class.getClassLoader());
            if (simple.equals(member) && type.getDeclaredConstructors().length > 0) {
                return true;
            }
            for (Method method : type.getDeclaredMethods()) {
                if (method.getName().equals(member)) {
                    return true;
                }
            }
        }
        return false;
    }
}
