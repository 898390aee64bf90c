# What Vagrant itself makes of a Vagrantfile: its settings, as JSON. usage: ruby eval_vagrantfile.rb FOLDER PROVIDER
require 'json'
require 'vagrant'

folder, provider = ARGV
environment = Vagrant::Environment.new(cwd: folder)
machines = environment.machine_names.map do |name|
  machine = environment.machine(name, provider.to_sym)
  vm, settings = machine.config.vm, machine.provider_config
  asked = { 'virtualbox' => %i[name customizations linked_clone check_guest_additions default_nic_type],
            'libvirt' => %i[driver default_prefix memory cpus cpu_mode cpu_model graphics_type disk_driver_opts],
            'lxc' => %i[container_name backingstore ssh_ip_addr customizations] }.fetch(provider)
  {
    name: name, hostname: vm.hostname, box: vm.box, box_version: vm.box_version, box_url: vm.box_url,
    box_check_update: vm.box_check_update, boot_timeout: vm.boot_timeout, allow_hosts: vm.allow_hosts_modification,
    networks: vm.networks.select { |kind, _| kind == :private_network }.map { |_, options| options.reject { |key, _| key == :id } },
    shared: vm.synced_folders.reject { |_, options| options[:disabled] }.keys,
    ssh: { username: machine.config.ssh.username, insert_key: machine.config.ssh.insert_key, host: machine.config.ssh.host },
    provider: asked.map { |key| [key, settings.public_send(key)] }.to_h,
    provisioners: vm.provisioners.map { |one| one.name.to_s },
  }
end
puts JSON.generate(machines)
