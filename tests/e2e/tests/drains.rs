//! A gateway ends in order: clients of `ringway.v1.json` go on with their sessions at another one.

use ringway_client::Continuity;
use ringway_e2e::listener::Way;
use ringway_e2e::scene::Scene;
use ringway_e2e::{Fleet, PATIENCE};

const CLIENTS: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_gateway_that_ends_resume_at_another_one() {
    let fleet = Fleet::gossip(2, 2, &["gateway.drain_window=1s"]);
    let mut scene = Scene::set_on(fleet, CLIENTS, |_| Way::V1).await;
    let mut gateway = scene.fleet.gateways.remove(0);
    gateway.process.terminate();
    let status = gateway.process.exit(PATIENCE).await;
    assert!(status.success(), "{status}");
    scene.heard_since(scene.now()).await;

    let mut resumed = 0;
    for listener in &scene.crowd.listeners {
        let heard = listener.heard();
        let expected = match heard.ends.len() {
            0 => &[Continuity::New][..],
            _ => &[Continuity::New, Continuity::Recovered],
        };
        assert_eq!(heard.connections, expected, "{}: {:?}", listener.user, heard.ends);
        assert!(heard.ends.iter().all(|(code, _)| *code == 1001), "{:?}", heard.ends);
        assert_eq!(heard.told_to_reconnect, heard.ends.len(), "{}", listener.user);
        resumed += heard.ends.len();
    }
    println!("{resumed} clients resumed at the other gateway; {}", scene.crowd.lap());
    assert!(resumed > CLIENTS / 3, "{resumed}");

    let (account, mut fleet) = scene.end().await;
    account.assert_complete();
    fleet.assert_sound();
}
