import com.google.protobuf.ByteString;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.statefun.extensions.ComponentBinder;
import org.apache.flink.statefun.extensions.ExtensionModule;
import org.apache.flink.statefun.flink.io.spi.FlinkIoModule;
import org.apache.flink.statefun.flink.io.spi.SinkProvider;
import org.apache.flink.statefun.flink.io.spi.SourceProvider;
import org.apache.flink.statefun.sdk.Address;
import org.apache.flink.statefun.sdk.EgressType;
import org.apache.flink.statefun.sdk.FunctionType;
import org.apache.flink.statefun.sdk.IngressType;
import org.apache.flink.statefun.sdk.TypeName;
import org.apache.flink.statefun.sdk.io.EgressIdentifier;
import org.apache.flink.statefun.sdk.io.EgressSpec;
import org.apache.flink.statefun.sdk.io.IngressIdentifier;
import org.apache.flink.statefun.sdk.io.IngressSpec;
import org.apache.flink.statefun.sdk.io.Router;
import org.apache.flink.statefun.sdk.reqreply.generated.TypedValue;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.sink.RichSinkFunction;
import org.apache.flink.streaming.api.functions.sink.SinkFunction;
import org.apache.flink.streaming.api.functions.source.RichSourceFunction;
import org.apache.flink.streaming.api.functions.source.SourceFunction;

/**
 * HTTP ingress and file egress for runs of the scenarios.
 *
 * <p>Component {@code test/ingress} (spec: {@code port}, {@code file}) listens on loopback and accepts
 * any verb on {@code /<namespace>/<type>/<id>}; the header {@code X-Type} is the typename of the value,
 * the body its raw bytes. The answer is 202 once the message is appended to the file, which is read
 * again from the last checkpoint on when the job restarts. Parallelism 1 only.
 *
 * <p>Component {@code test/egress} (spec: {@code id}, {@code file}) appends one line per message:
 * typename, a blank, and the value in hex. What was written after the last checkpoint is cut off when
 * the job restarts.
 */
public final class TestIo {
  private static final IngressType INGRESS = new IngressType("test", "ingress");
  private static final EgressType EGRESS = new EgressType("test", "egress");

  private TestIo() {}

  static final class In implements IngressSpec<TypedValue> {
    final int port;
    final String file;

    In(int port, String file) {
      this.port = port;
      this.file = file;
    }

    @Override
    public IngressIdentifier<TypedValue> id() {
      return new IngressIdentifier<>(TypedValue.class, "test", "ingress");
    }

    @Override
    public IngressType type() {
      return INGRESS;
    }
  }

  static final class Out implements EgressSpec<TypedValue> {
    final TypeName id;
    final String file;

    Out(TypeName id, String file) {
      this.id = id;
      this.file = file;
    }

    @Override
    public EgressIdentifier<TypedValue> id() {
      return new EgressIdentifier<>(id.namespace(), id.name(), TypedValue.class);
    }

    @Override
    public EgressType type() {
      return EGRESS;
    }
  }

  /** Binds the two component kinds. */
  public static final class Extension implements ExtensionModule {
    @Override
    public void configure(Map<String, String> configuration, Binder binder) {
      binder.bindExtension(
          TypeName.parseFrom("test/ingress"),
          (ComponentBinder)
              (component, module) -> {
                In spec = new In(
                        component.specJsonNode().get("port").asInt(),
                        component.specJsonNode().get("file").asText());
                module.bindIngress(spec);
                module.bindIngressRouter(spec.id(), new PathRouter());
              });
      binder.bindExtension(
          TypeName.parseFrom("test/egress"),
          (ComponentBinder)
              (component, module) ->
                  module.bindEgress(
                      new Out(
                          TypeName.parseFrom(component.specJsonNode().get("id").asText()),
                          component.specJsonNode().get("file").asText())));
    }
  }

  /** The queued value carries "typename LF namespace/type/id" in its typename field. */
  static final class PathRouter implements Router<TypedValue> {
    @Override
    public void route(TypedValue value, Downstream<TypedValue> downstream) {
      String[] parts = value.getTypename().split("\n", 2);
      String[] path = parts[1].split("/", 3);
      downstream.forward(
          new Address(new FunctionType(path[0], path[1]), path[2]),
          value.toBuilder().setTypename(parts[0]).setHasValue(true).build());
    }
  }

  /** Supplies the source and the sink. */
  public static final class Io implements FlinkIoModule {
    @Override
    public void configure(Map<String, String> configuration, Binder binder) {
      binder.bindSourceProvider(
          INGRESS,
          new SourceProvider() {
            @Override
            @SuppressWarnings("unchecked")
            public <T> SourceFunction<T> forSpec(IngressSpec<T> spec) {
              In in = (In) (Object) spec;
              return (SourceFunction<T>) new HttpSource(in.port, in.file);
            }
          });
      binder.bindSinkProvider(
          EGRESS,
          new SinkProvider() {
            @Override
            @SuppressWarnings("unchecked")
            public <T> SinkFunction<T> forSpec(EgressSpec<T> spec) {
              return (SinkFunction<T>) new FileSink(((Out) (Object) spec).file);
            }
          });
    }
  }

  static final class FileSink extends RichSinkFunction<TypedValue>
      implements CheckpointedFunction {
    private static final long serialVersionUID = 1;
    private final String file;
    private transient ListState<Long> checkpointed;

    FileSink(String file) {
      this.file = file;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
      checkpointed =
          context
              .getOperatorStateStore()
              .getListState(new ListStateDescriptor<>("length", Types.LONG));
      long length = 0;
      for (long known : checkpointed.get()) {
        length = known;
      }
      try (RandomAccessFile out = new RandomAccessFile(file, "rw")) {
        out.setLength(length);
      }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
      checkpointed.clear();
      checkpointed.add(new File(file).length());
    }

    @Override
    public void invoke(TypedValue value, Context context) throws IOException {
      StringBuilder line = new StringBuilder(value.getTypename()).append(' ');
      for (byte b : value.getValue().toByteArray()) {
        line.append(Character.forDigit((b >> 4) & 15, 16)).append(Character.forDigit(b & 15, 16));
      }
      try (FileOutputStream out = new FileOutputStream(file, true)) {
        out.write(line.append('\n').toString().getBytes(StandardCharsets.UTF_8));
      }
    }
  }

  static final class HttpSource extends RichSourceFunction<TypedValue>
      implements CheckpointedFunction {
    private static final long serialVersionUID = 1;
    private final int port;
    private final String file;
    private transient ListState<Long> checkpointed;
    private transient HttpServer server;
    private long position;
    private volatile boolean running = true;

    HttpSource(int port, String file) {
      this.port = port;
      this.file = file;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
      checkpointed =
          context
              .getOperatorStateStore()
              .getListState(new ListStateDescriptor<>("position", Types.LONG));
      for (long known : checkpointed.get()) {
        position = known;
      }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
      checkpointed.clear();
      checkpointed.add(position);
    }

    @Override
    public void open(Configuration parameters) throws Exception {
      server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
      server.createContext("/", this::accept);
      server.start();
    }

    private void accept(HttpExchange exchange) throws IOException {
      String type = exchange.getRequestHeaders().getFirst("X-Type");
      String path = exchange.getRequestURI().getPath().substring(1);
      byte[] message =
          TypedValue.newBuilder()
              .setTypename((type == null ? "test/bytes" : type) + "\n" + path)
              .setValue(ByteString.copyFrom(exchange.getRequestBody().readAllBytes()))
              .build()
              .toByteArray();
      try (FileOutputStream out = new FileOutputStream(file, true)) {
        byte[] record = new byte[4 + message.length];
        ByteBuffer.wrap(record).putInt(message.length).put(message);
        out.write(record);
      }
      exchange.sendResponseHeaders(202, -1);
      exchange.close();
    }

    @Override
    public void run(SourceContext<TypedValue> context) throws Exception {
      try (RandomAccessFile in = new RandomAccessFile(file, "r")) {
        while (running) {
          if (in.length() < position + 4) {
            Thread.sleep(5);
            continue;
          }
          in.seek(position);
          byte[] message = new byte[in.readInt()];
          if (in.length() < position + 4 + message.length) {
            Thread.sleep(5);
            continue;
          }
          in.readFully(message);
          synchronized (context.getCheckpointLock()) {
            context.collect(TypedValue.parseFrom(message));
            position += 4 + message.length;
          }
        }
      }
    }

    @Override
    public void cancel() {
      running = false;
    }

    @Override
    public void close() {
      if (server != null) {
        server.stop(0);
      }
    }
  }
}
