// SPDX-License-Identifier: Apache-2.0
// java.net.http.WebSocket talks to an echo server: java Talk.java URL
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

public class Talk implements WebSocket.Listener {
    private final StringBuilder partial = new StringBuilder();
    private final CompletableFuture<String> answer = new CompletableFuture<>();
    private final CompletableFuture<Integer> closed = new CompletableFuture<>();

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence text, boolean last) {
        partial.append(text);
        if (last) answer.complete(partial.toString());
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        closed.complete(code);
        return null;
    }

    public static void main(String[] arguments) throws Exception {
        Talk talk = new Talk();
        WebSocket socket = HttpClient.newHttpClient().newWebSocketBuilder()
            .buildAsync(URI.create(arguments[0]), talk).get(30, TimeUnit.SECONDS);
        String message = "grüße ".repeat(20_000);
        socket.sendText(message, true).get(30, TimeUnit.SECONDS);
        if (!talk.answer.get(30, TimeUnit.SECONDS).equals(message)) throw new Exception("changed");
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "");
        System.out.println("talked, closed with " + talk.closed.get(30, TimeUnit.SECONDS));
        System.exit(0);
    }
}
