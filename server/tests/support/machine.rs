//! A machine that may be switched off.

use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// The way to an engine's machine, which may be switched off: then connections are neither accepted nor refused.
pub(crate) struct Machine {
    engine: SocketAddr,
    listener: Arc<TcpListener>,
    serving: Option<JoinHandle<()>>,
    waiting: Vec<TcpStream>,
}

impl Machine {
    /// On, in front of this engine.
    pub(crate) async fn start(engine: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut machine = Self {
            engine,
            listener: Arc::new(socket.listen(16).unwrap()),
            serving: None,
            waiting: Vec::new(),
        };
        machine.switch_on();
        machine
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    /// Passes everything on from now on.
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

    /// Passes nothing on from now on.
    pub(crate) async fn switch_off(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            let _ = serving.await;
        }
        // What nobody accepts fills the queue; whoever comes after that waits in vain.
        let address = self.listener.local_addr().unwrap();
        let brief = Duration::from_millis(100);
        while let Ok(Ok(stream)) = tokio::time::timeout(brief, TcpStream::connect(address)).await {
            self.waiting.push(stream);
        }
    }
}
