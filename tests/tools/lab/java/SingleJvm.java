import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;

/**
 * A Flink session in one JVM: manager, workers and REST server, from a full configuration.
 *
 * <p>Arguments, as those of Flink's own programs: {@code --configDir} and the directory.
 */
public final class SingleJvm {
  private SingleJvm() {}

  public static void main(String[] args) throws Exception {
    Configuration configuration = GlobalConfiguration.loadConfiguration(args[1]);
    MiniCluster cluster =
        new MiniCluster(
            new MiniClusterConfiguration.Builder()
                .setConfiguration(configuration)
                .setNumTaskManagers(1)
                .setNumSlotsPerTaskManager(
                    configuration.getInteger("taskmanager.numberOfTaskSlots", 1))
                .build());
    try {
      cluster.start();
    } catch (Exception error) {
      error.printStackTrace();
      System.exit(1); // else threads that it has begun would keep the process alive
    }
    Thread.currentThread().join();
  }
}
