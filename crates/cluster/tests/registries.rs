//! The registries of this crate pass the suite that every registry must pass.

mod registry_suite;

mod memory {
    use std::time::Duration;

    use async_trait::async_trait;
    use ringway_cluster::{Member, MemoryRegistry, Registry};

    use crate::registry_suite::fixture::{Fixture, Membership, Nature, Reach};

    crate::registry_suite!(async { MemoryFixture(MemoryRegistry::new()) });

    struct MemoryFixture(MemoryRegistry);

    #[async_trait]
    impl Fixture for MemoryFixture {
        async fn handle(&self) -> Box<dyn Registry> {
            Box::new(self.0.clone())
        }

        fn member(&self, number: usize) -> Member {
            super::member(number)
        }

        fn nature(&self) -> Nature {
            Nature {
                membership: Membership::Open,
                reach: Reach::Cluster,
                time_to_live: Duration::ZERO,
                settles_within: Duration::from_secs(1),
            }
        }
    }
}

mod fixed {
    use std::time::Duration;

    use async_trait::async_trait;
    use ringway_cluster::{Member, Registry, RegistryError, StaticRegistry};

    use crate::registry_suite::fixture::{Fixture, Membership, Nature, Reach};

    crate::registry_suite!(async { StaticFixture });

    struct StaticFixture;

    #[async_trait]
    impl Fixture for StaticFixture {
        async fn handle(&self) -> Box<dyn Registry> {
            Box::new(registry())
        }

        fn member(&self, number: usize) -> Member {
            super::member(number)
        }

        fn nature(&self) -> Nature {
            Nature {
                membership: Membership::Listed,
                reach: Reach::Process,
                time_to_live: Duration::ZERO,
                settles_within: Duration::from_secs(1),
            }
        }
    }

    #[tokio::test]
    async fn a_member_elsewhere_than_listed_is_refused() {
        let elsewhere = Member { rpc_url: super::member(1).rpc_url, ..super::member(0) };
        let refused = registry().join(elsewhere).await.err().expect("it is refused");
        let expected = "member w0 serves at http://127.0.0.1:7001, but the list of members has it at \
                        http://127.0.0.1:7000";
        assert_eq!(refused.to_string(), expected);
    }

    #[test]
    fn a_list_has_each_member_once() {
        let twice = StaticRegistry::new([super::member(0), super::member(1), super::member(0)]);
        assert!(matches!(twice, Err(RegistryError::Duplicate { id }) if id.as_str() == "w0"));
    }

    #[tokio::test]
    async fn another_list_takes_members_off_and_brings_them_back() {
        let registry = registry();
        let lists = registry.watch();
        let ids = || lists.borrow().iter().map(|member| member.id.to_string()).collect::<Vec<_>>();
        let started = Member { incarnation: 7, ..super::member(1) };
        let lease = registry.join(started.clone()).await.expect("it is listed");
        registry.relist([0, 2].map(super::member)).expect("a good list");
        assert_eq!(ids(), ["w0", "w2"]);
        let twice = registry.relist([super::member(1), super::member(1)]);
        assert!(matches!(twice, Err(RegistryError::Duplicate { .. })));
        assert_eq!(ids(), ["w0", "w2"], "a bad list changes nothing");
        registry.relist([0, 1].map(super::member)).expect("a good list");
        assert!(lists.borrow().contains(&started), "it joined and says so again");
        lease.leave().await.expect("the lease is alive");
        assert_eq!(ids(), ["w0", "w1"]);
    }

    fn registry() -> StaticRegistry {
        StaticRegistry::new([0, 1, 2].map(super::member)).expect("three members")
    }
}

fn member(number: usize) -> ringway_cluster::Member {
    let id = format!("w{number}").parse().expect("a good id");
    let url = format!("http://127.0.0.1:{}", 7000 + number).parse().expect("a good url");
    ringway_cluster::Member::new(id, url)
}
