import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;

/**
 * A Flink session in one JVM: manager, workers and REST server, from a full configuration.
 *
 * <p>Argument: the configuration directory.
 */
public final class SingleJvm {
  private SingleJvm() {}

  public static void main(String[] args) throws Exception {
    Configuration configuration = GlobalConfiguration.loadConfiguration(args[0]);
    MiniCluster cluster =
        new MiniCluster(
            new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(
                    configuration.getInteger("taskmanager.numberOfTaskSlots", 1))
                .build());
    cluster.start();
    Thread.currentThread().join();
  }
}
