//! A TCP server that can stop answering.

use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// TCP proxy in front of the engine. Switched off, it neither accepts nor refuses connections.
pub(crate) struct BlackholeServer {
    engine: SocketAddr,
    listener: Arc<TcpListener>,
    serving: Option<JoinHandle<()>>,
    waiting: Vec<TcpStream>,
}

impl BlackholeServer {
    /// Starts it, switched on.
    pub(crate) async fn start(engine: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut server = Self {
            engine,
            listener: Arc::new(socket.listen(16).unwrap()),
            serving: None,
            waiting: Vec::new(),
        };
        server.switch_on();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// Forwards connections from now on.
    pub(crate) fn switch_on(&mut self) {
        self.waiting.clear();
        let (listener, engine) = (Arc::clone(&self.listener), self.engine);
        self.serving = Some(tokio::spawn(async move {
            // They end with this task.
            let mut connections = JoinSet::new();
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(engine).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }));
    }

    /// Leaves connections unanswered from now on.
    pub(crate) async fn switch_off(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
        // Unaccepted connections fill the backlog; later ones get no answer.
        let address = self.listener.local_addr().unwrap();
        let brief = Duration::from_millis(100);
        while let Ok(Ok(stream)) = tokio::time::timeout(brief, TcpStream::connect(address)).await {
            self.waiting.push(stream);
        }
    }
}
